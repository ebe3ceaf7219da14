"""Time Spark tasks that do next to nothing in Python, with Spark's own daemon and with this project's.

    python benchmarks/task_overhead.py

Prints the milliseconds of a core for each task: the median, and the range, of the repeats, which take turns.
"""

import statistics
import subprocess
import sys

import click

DAEMONS = ("pyspark.daemon", "fruits_bigdata.warmup.worker_daemon")

# A session is one per process and daemon.
PROGRAM = """
import sys
import time
from fruits_bigdata.spark.session import create_session
spark = create_session({
    "spark.master": "local[*,4]",
    "spark.ui.enabled": False,
    "spark.driver.memory": "2g",
    "spark.sql.execution.arrow.pyspark.enabled": True,
    "spark.python.daemon.module": sys.argv[1],
})
n_tasks = int(sys.argv[2])
numbers = spark.range(10 * n_tasks).repartition(n_tasks).persist()
numbers.count()
def work():
    numbers.mapInArrow(lambda batches: batches, "id long").write.format("noop").mode("overwrite").save()
work()
started = time.perf_counter()
work()
seconds = time.perf_counter() - started
print(1000 * seconds * spark.sparkContext.defaultParallelism / n_tasks)
"""


@click.command(help=__doc__)
@click.option("--tasks", type=int, default=64, show_default=True)
@click.option("--repeats", type=int, default=3, show_default=True)
def main(tasks: int, repeats: int) -> None:
    """Run the benchmark."""
    found: dict[str, list[float]] = {daemon: [] for daemon in DAEMONS}
    for _ in range(repeats):
        for daemon in DAEMONS:
            command = [sys.executable, "-c", PROGRAM, daemon, str(tasks)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[daemon].append(float(done.stdout))
    for daemon, milliseconds in found.items():
        low, high = min(milliseconds), max(milliseconds)
        print(f"{daemon:30} {statistics.median(milliseconds):6.1f} ms a task ({low:.1f} - {high:.1f})")


if __name__ == "__main__":
    main()
