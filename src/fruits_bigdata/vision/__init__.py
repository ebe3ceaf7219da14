"""From the bytes of a photograph to its pixels and features; knows neither Spark nor Kedro."""
