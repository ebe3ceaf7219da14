"""The steps of the chain, a folder each: `pipeline.py` reads top to bottom, `nodes.py` holds its functions.

Spark and Kedro meet here. May import every room below: `datasets`, `tables`, `vision` and so on.
"""
