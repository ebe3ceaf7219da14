"""Fruit photographs to MobileNetV2 features, PCA and CSV, on PySpark."""

__version__ = "2.0.0"
