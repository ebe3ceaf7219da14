"""Turn the images that have no features yet into features."""
