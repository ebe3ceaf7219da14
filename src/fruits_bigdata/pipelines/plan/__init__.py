"""Say what a run would do, and do none of it."""
