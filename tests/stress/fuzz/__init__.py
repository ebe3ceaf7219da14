"""Hostile images, and what the project makes of them."""
