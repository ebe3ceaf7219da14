"""What happens around a run, in one order (`settings.HOOKS`): checks, S3, Spark, times, errors, results.

May import everything but `emr`, `erasure` and `warmup`; only `settings` imports it.
"""
