"""The Spark session and its Java, and how a run is cut into Spark tasks.

Imports no other room; knows nothing of images, tables or Kedro.
"""
