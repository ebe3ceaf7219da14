"""Show where the time of one run goes: Kedro's log lines and Spark's jobs, each with its second.

    python -m benchmarks.timeline --images fruits360/Test --weights weights.h5 --size 500

The model is compiled by a run before, which is not shown.
"""

import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from tests.support.runs import PROJECT, kedro_run, sample_images

_LINE = re.compile(r"\[\[([0-9.]+)\]\] (.*)")


def spark_events(folder: Path) -> Iterator[tuple[float, str]]:
    """Yield the seconds and names of Spark's applications, jobs and stages from its event logs."""
    for file in folder.iterdir():
        for line in file.read_text().splitlines():
            event = json.loads(line)
            match event["Event"]:
                case "SparkListenerApplicationStart":
                    yield event["Timestamp"] / 1000, "Spark's context starts"
                case "SparkListenerJobStart":
                    yield event["Submission Time"] / 1000, f"job {event['Job ID']} starts"
                case "SparkListenerJobEnd":
                    yield event["Completion Time"] / 1000, f"job {event['Job ID']} ends"
                case "SparkListenerStageCompleted":
                    stage = event["Stage Info"]
                    seconds = (stage["Completion Time"] - stage["Submission Time"]) / 1000
                    what = f"{stage['Stage Name'].split(' at ')[0]}, {stage['Number of Tasks']} tasks"
                    yield (
                        stage["Submission Time"] / 1000,
                        f"  stage {stage['Stage ID']}: {what}, {seconds:.2f} s",
                    )


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--size", type=int, default=500, show_default=True, help="Images.")
@click.option("--pipelines", default="loading,featurization", show_default=True)
def main(images: Path, weights: Path, size: int, pipelines: str) -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory(prefix="timeline-") as folder:
        work = Path(folder)
        sample_images(images, size, work / "images")
        (work / "events").mkdir()
        logging = yaml.safe_load((PROJECT / "conf/logging.yml").read_text())
        logging["formatters"]["plain"] = {"format": "[[%(created)f]] %(message)s"}
        logging["loggers"]["kedro.io"]["level"] = "INFO"
        (work / "logging.yml").write_text(yaml.safe_dump(logging))
        events = f"--conf spark.eventLog.enabled=true --conf spark.eventLog.dir=file:{work}/events"
        environment = {
            "KEDRO_LOGGING_CONFIG": str(work / "logging.yml"),
            "PYSPARK_SUBMIT_ARGS": f"{events} pyspark-shell",
        }
        params = {
            "images_path": work / "images",
            "weights_path": weights.absolute(),
            "models_path": work / "models",
        }
        kedro_run({**params, "output_path": work / "before", "limit": 10}, pipelines)
        started = time.time()
        said = kedro_run({**params, "output_path": work / "output"}, pipelines, environment)
        ended = time.time()
        rows = [(float(second), f"LOG {line}") for second, line in _LINE.findall(said)]
        rows += [*spark_events(work / "events"), (ended, "the process has ended")]
    for second, line in sorted(rows):
        click.echo(f"{second - started:7.2f} {line[:120]}")


if __name__ == "__main__":
    main()
