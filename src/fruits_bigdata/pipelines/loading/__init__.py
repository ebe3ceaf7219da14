"""List the images."""
