"""The way to EMR: what is shipped, where it may run, what it costs."""
