"""What a cluster and a run cost: prices, the work of a run, and the estimate that `fruits-emr cost` prints.

May import `spark.chunks`, `privacy` and `storage`; knows neither Kedro nor a Spark session.
"""
