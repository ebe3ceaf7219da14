"""Moments of a feature matrix, the principal components made from them, and what these keep.

Imports no other room: numpy and scipy alone.
"""
