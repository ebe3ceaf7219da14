"""Figures that a run does not measure: quoted from the documents, with the command that gives each.

`row` is the line of the document, from its beginning or as far as it is needed; a test holds them together.
"""

from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True)
class Measured:
    """A line of figures in a document.

    Attributes:
        document: Which.
        command: What gives the figures anew.
        row: The document's own words.
        values: The figures, in the order in which they are wanted; each stands in `row`.
    """

    document: str
    command: str
    row: str
    values: tuple[float, ...]


_performance = partial(Measured, "docs/performance.md")
_pca = partial(Measured, "docs/pca.md")

# Seconds with the start of everything, and images per second, of the usual notebook and of this project.
_size_500 = partial(_performance, "python -m benchmarks.featurization --size 500")
USUAL_500 = _size_500("| 500 | a |  | 33.9 (33.5 - 34.1) | 15 |", (33.9, 15))
OURS_500 = _size_500("| 500 | c |  | 4.6 (4.4 - 4.6) | 109 | 7.41 |", (4.6, 109, 7.41))
_size_2000 = partial(_performance, "python -m benchmarks.featurization --size 2000")
USUAL_2000 = _size_2000("| 2,000 | a |  | 49.0 (46.8 - 49.2) | 41 |", (49.0, 41))
OURS_2000 = _size_2000("| 2,000 | c |  | 8.6 (8.5 - 9.1) | 233 | 5.71 |", (8.6, 233, 5.71))
_size_all = partial(_performance, "python -m benchmarks.featurization --size 11992")
USUAL_ALL = _size_all("| 11,992 | a |  | 127.8 (124.7 - 134.5) | 94 |", (127.8, 94))
OURS_ALL = _size_all("| 11,992 | c |  | 32.3 (31.7 - 32.5) | 371 | 3.96 |", (32.3, 371, 3.96))
_featurization = partial(_performance, "python -m benchmarks.featurization")
# Images per second without the start, from 500 to 2,000 images: the notebook, this project, no Spark.
STEADY = _featurization("- from 500 to 2,000: a 100, c 375, e 439, i 673", (100, 375, 439))
# Largest memory of a worker in MB, at 500 and at 11,992 images.
WORKER_MEMORY = _featurization("needs 181 MB at 500 images and 202 MB at 11,992", (181, 202))
# Images to do, seconds of the whole run; of some new ones, also the share of the work in %.
_growth = partial(_performance, "python -m benchmarks.growth")
GROWTH_ALL = _growth("| everything | 11,992 | 92.34 | 100.0% | 94.8 | 118.0 |", (11992, 118.0))
GROWTH_NEW = _growth("| 120 new | 120 | 3.67 | 4.0% | 6.9 | 28.9 |", (120, 28.9, 4.0))
GROWTH_NOTHING = _growth("| nothing new | 0 | 0.00 | 0.0% | 0.3 | 21.0 |", (0, 21.0))
# Images per second, requests an image.
_s3 = partial(_performance, "python -m benchmarks.featurization.s3")
S3_READS = _s3("| S3 | 217 (214 - 220) | 1.00 | 1.000 |", (217, 1))
# Milliseconds of latency, images per second.
S3_LATENCY = _s3("| S3, 30 ms | 212 (202 - 214) |", (30, 212))
# Of two million images: seconds, and the memory in MB.
_scale = partial(_performance, "python -m benchmarks.scale --rows 2000000")
SCALE_LISTING = _scale("| listing, and writing it | 6.7 | 27.2 | 566 | | 273 |", (27.2, 566))
SCALE_COMPARING = _scale("| opening the tables, and comparing | 1.3 | 4.3 | 1,204 | | 41 |", (4.3, 1204))
# Seconds of the first fit of this project and of Spark ML, and how many times as long that is.
_fit = partial(_pca, "python -m benchmarks.pca")
PCA_100000 = (
    _fit("| 100,000 | this project | 5.36 (5.33 - 5.55) |", (5.36,)),
    _fit("| 100,000 | Spark ML | 30.75 (27.75 - 31.03) | 32.15 | 5.7 |", (30.75, 5.7)),
)
# Components, explained variance in %, the same among ten neighbours in %; of 11,992 images.
_dimensions = partial(_pca, "python -m benchmarks.pca.dimensions")
DIMENSIONS = (
    _dimensions("| none | 50 | 79.67 % | 20.33 % | 88.0 % |", (50, 79.67, 88.0)),
    _dimensions("| none | 100 | 87.74 % | 12.26 % | 92.3 % |", (100, 87.74, 92.3)),
    _dimensions("| none | 200 | 93.47 % | 6.53 % | 95.3 % |", (200, 93.47, 95.3)),
)
# Runs that were killed, and how many times.
KILLED = Measured(
    "docs/guarantees.md", "python -m tests.stress.kill", "84 of the runs were killed, 101 times", (84, 101)
)
