"""Say what the run did and what it found."""
