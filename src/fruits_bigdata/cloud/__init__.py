"""The way to EMR: what is shipped, where it may run, what it costs. It knows neither Spark nor Kedro."""
