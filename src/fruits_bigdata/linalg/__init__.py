"""Moments of a feature matrix and the principal components made from them, in numpy."""
