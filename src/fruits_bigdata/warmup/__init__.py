"""What makes Spark start fast on one machine: the workers' daemon, and the archive of Java's classes.

May import `pipelines` and `spark`; Spark's settings and the Makefile name its modules, nothing imports them.
"""
