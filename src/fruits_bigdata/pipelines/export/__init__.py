"""Hand the scores on as CSV, checked against the features."""
