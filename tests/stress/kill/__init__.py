"""Runs that are killed, that meet another, or whose commits are not answered, while three readers look on."""
