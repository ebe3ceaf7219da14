"""Kedro's view of what the rooms below store: tables, the image folder, weights, models and report files.

May import `tables`, `images`, `vision`, `linalg`, `spark` and `storage`; a dataset loads and saves, no more.
"""
