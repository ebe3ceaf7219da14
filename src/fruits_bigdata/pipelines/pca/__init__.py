"""Reduce the features to their principal components."""
