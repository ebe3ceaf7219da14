"""Contenders d and e: the engine without Spark, one process per core.

    python bare.py engine|files IMAGES MODEL OUTPUT

`engine` decodes everything first and prints the seconds of the bare loop of the engine over the pixels;
`files` fetches, decodes and infers image by image, and writes Parquet, as the whole step does.
"""

import multiprocessing
import os
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fruits_bigdata.images.pixels import decode
from fruits_bigdata.vision.engine import Engine


def bare_engine(paths: list[str], model: bytes) -> float:
    """Return the seconds that the engine takes for the images, decoded before."""
    engine = Engine(model)
    pixels = [decode(Path(path).read_bytes()) for path in paths]
    started = perf_counter()
    for image in pixels:
        engine.features(image)
    return perf_counter() - started


def whole_files(paths: list[str], model: bytes) -> np.ndarray:
    """Return the features of the images, float32 (n, 1280)."""
    engine = Engine(model)
    return np.stack([engine.features(decode(Path(path).read_bytes())) for path in paths])


def main() -> None:
    """Run one contender on all cores."""
    what, images, model_path, output = sys.argv[1:]
    paths = sorted(str(path) for path in Path(images).rglob("*.jpg"))
    model = Path(model_path).read_bytes()
    n = os.cpu_count() or 1
    parts = [paths[i::n] for i in range(n)]
    with multiprocessing.get_context("forkserver").Pool(n) as pool:
        if what == "engine":
            seconds = pool.starmap(bare_engine, [(part, model) for part in parts])
            print(max(seconds))
            return
        matrices = pool.starmap(whole_files, [(part, model) for part in parts])
    Path(output).mkdir(parents=True, exist_ok=True)
    for i, (part, matrix) in enumerate(zip(parts, matrices, strict=True)):
        offsets = np.arange(0, matrix.size + 1, matrix.shape[1], dtype=np.int32)
        features = pa.ListArray.from_arrays(offsets, matrix.ravel())
        pq.write_table(pa.table({"path": part, "features": features}), f"{output}/part-{i}.parquet")


if __name__ == "__main__":
    main()
