"""From pixels to features: weights, the compiled model, the interpreter, a worker's step and its statistics.

May import `images`, `tables.schemas` and `storage`; knows neither Spark nor Kedro.
"""
