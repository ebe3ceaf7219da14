"""Figures that a run does not measure: quoted from the documents, with the command that gives each.

`row` is the line of the document, from its beginning or as far as it is needed; a test holds them together.
"""

from dataclasses import dataclass

_PERFORMANCE, _PCA = "docs/performance.md", "docs/pca.md"


@dataclass(frozen=True)
class Measured:
    """A line of figures in a document.

    Attributes:
        values: The figures, in the order in which they are wanted; each stands in `row`.
        row: The document's own words.
        document: Which.
        command: What gives the figures anew.
    """

    values: tuple[float, ...]
    row: str
    document: str
    command: str


def _featurization(size: int, *rows: tuple[str, tuple[float, ...]]) -> tuple[Measured, ...]:
    command = f"python -m benchmarks.featurization --size {size}"
    return tuple(Measured(values, row, _PERFORMANCE, command) for row, values in rows)


# Seconds with the start of everything, and images per second, of the usual notebook and of this project.
USUAL_500, OURS_500 = _featurization(
    500,
    ("| 500 | a |  | 58.8 (58.5 - 59.4) | 9 |", (58.8, 9)),
    ("| 500 | c |  | 9.4 (9.2 - 10.7) | 53 | 6.27 |", (9.4, 53, 6.27)),
)
USUAL_2000, OURS_2000 = _featurization(
    2000,
    ("| 2,000 | a | 84.1 | 83.4 (82.2 - 87.3) | 24 |", (83.4, 24)),
    ("| 2,000 | c | 32.2 | 14.4 (14.3 - 14.9) | 139 | 5.81 |", (14.4, 139, 5.81)),
)
USUAL_ALL, OURS_ALL = _featurization(
    11992,
    ("| 11,992 | a |  | 224.4 (223.9 - 228.1) | 53 |", (224.4, 53)),
    ("| 11,992 | c |  | 53.6 (52.3 - 54.0) | 224 | 4.19 |", (53.6, 224, 4.19)),
)
# Images per second without the start, from 500 to 2,000 images: the notebook, this project, no Spark.
STEADY = Measured(
    (61, 301, 311),
    "- from 500 to 2,000: a 61, c 301, e 311, i 385",
    _PERFORMANCE,
    "python -m benchmarks.featurization",
)
KERAS_DIFFERENCE = Measured(
    (6e-5,), "All its features are within 6e-5 of Keras'", _PERFORMANCE, "python -m benchmarks.featurization"
)
# Largest memory of a worker in MB, at 500 and at 11,992 images.
WORKER_MEMORY = Measured(
    (170, 174),
    "needs 170 MB at 500 images and 174 MB at 11,992",
    _PERFORMANCE,
    "python -m benchmarks.featurization",
)
# Images to do, seconds of the whole run.
_GROWTH = "python -m benchmarks.growth"
GROWTH_ALL = Measured(
    (11992, 77.1), "| everything | 11,992 | 58.15 | 100.0% | 62.9 | 77.1 |", _PERFORMANCE, _GROWTH
)
GROWTH_NEW = Measured(
    (120, 16.5, 1.9), "| some new | 120 | 1.10 | 1.9% | 5.7 | 16.5 |", _PERFORMANCE, _GROWTH
)
GROWTH_NOTHING = Measured((0, 13.0), "| nothing new | 0 | 0.00 | 0.0% | 3.5 | 13.0 |", _PERFORMANCE, _GROWTH)
# Images per second, requests an image.
S3_READS = Measured(
    (217, 1), "| S3 | 217 (214 - 220) | 1.00 | 1.000 |", _PERFORMANCE, "python -m benchmarks.featurization.s3"
)
S3_LATENCY = Measured(
    (30, 212), "| S3, 30 ms | 212 (202 - 214) |", _PERFORMANCE, "python -m benchmarks.featurization.s3"
)
# Images, seconds to list them; seconds to compare them with the stores.
_SCALE = "python -m benchmarks.scale --rows 2000000"
SCALE_LISTING = Measured(
    (21.0, 193),
    "| listing empty files in 100 folders, and writing the listing | 21.0 | 193 | |",
    _PERFORMANCE,
    _SCALE,
)
SCALE_COMPARING = Measured(
    (8.3, 195), "| comparing with the stores | 8.3 | 195 | 1,048 |", _PERFORMANCE, _SCALE
)
# Seconds of the first fit of this project and of Spark ML, and how many times as long that is.
_PCA_COMMAND = "python -m benchmarks.pca"
PCA_20000 = (
    Measured((3.25,), "| 20,000 | this project | 3.25 (2.86 - 4.41) |", _PCA, _PCA_COMMAND),
    Measured((12.49, 3.8), "| 20,000 | Spark ML | 12.49 (11.16 - 12.71) | 8.94 | 3.8 |", _PCA, _PCA_COMMAND),
)
PCA_100000 = (
    Measured((5.36,), "| 100,000 | this project | 5.36 (5.33 - 5.55) |", _PCA, _PCA_COMMAND),
    Measured(
        (30.75, 5.7), "| 100,000 | Spark ML | 30.75 (27.75 - 31.03) | 32.15 | 5.7 |", _PCA, _PCA_COMMAND
    ),
)
# Components, explained variance in %, the same among ten neighbours in %; of 11,992 images.
_DIMENSIONS = "python -m benchmarks.pca.dimensions"
DIMENSIONS = (
    Measured((50, 79.67, 88.0), "| none | 50 | 79.67 % | 20.33 % | 88.0 % |", _PCA, _DIMENSIONS),
    Measured((100, 87.74, 92.3), "| none | 100 | 87.74 % | 12.26 % | 92.3 % |", _PCA, _DIMENSIONS),
    Measured((200, 93.47, 95.3), "| none | 200 | 93.47 % | 6.53 % | 95.3 % |", _PCA, _DIMENSIONS),
)
# Runs that were killed, and how many times.
KILLED = Measured(
    (30, 36), "30 runs were killed\n36 times", "docs/guarantees.md", "python -m benchmarks.kill_test"
)
# Files that were damaged or made to harm; none failed a task.
FUZZED = Measured((10000,), "| all | 10,000 |", "docs/guarantees.md", "python -m benchmarks.fuzz")
