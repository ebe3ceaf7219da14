"""Runs that are killed at random moments, and a reader that looks on."""
