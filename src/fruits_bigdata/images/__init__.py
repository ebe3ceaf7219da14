"""The folder of images, and one image file: its container, its pixels, and the memory that both may take.

May import `tables.schemas` and `storage`; knows neither Spark nor Kedro.
"""
