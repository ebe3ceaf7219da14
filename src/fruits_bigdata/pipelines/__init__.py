"""The steps of the chain: one folder per pipeline, where Spark and Kedro meet the ground floor."""
