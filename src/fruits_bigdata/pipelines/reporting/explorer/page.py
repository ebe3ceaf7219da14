"""The explorer's HTML file: its script, its style and its data in one, which asks nothing of any network."""

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from fruits_bigdata.pipelines.reporting.plots.style import COLOURS, count
from fruits_bigdata.pipelines.reporting.samples import Pictures
from fruits_bigdata.tables.schemas import LABEL, PATH

# Of the page: what a browser opens at once, and a mail carries.
MAX_BYTES = 20_000_000
_MAX_NAME_BYTES = 6_000_000
_MAX_SHEET_BYTES = 8_000_000
_MAX_PATH = 120
# A sheet of pictures, 2,560 x 1,600 pixels.
_COLUMNS, _ROWS = 40, 25
_QUALITIES = (80, 60, 40, 20, 8)


def build_explorer(
    points: pd.DataFrame,
    thumbnails: Pictures,
    pca_quality: Mapping[str, Any],
    picture_statistics: Mapping[str, int],
) -> tuple[str, dict[str, int]]:
    """Make the page to look around in, plain ASCII, below `MAX_BYTES`.

    Args:
        points: path, label, pc1, pc2, pc3 of each.
        thumbnails: Pixels by path of some of them, uint8, all of one square shape.
        pca_quality: What the components keep.
        picture_statistics: How many pictures the report `wanted`, and how many were `missing`.

    Returns:
        The page, and how many `points` and `thumbnails` it holds, the `bytes` that it takes, and the
        `pictures_wanted` and `pictures_missing` of the report.
    """
    paths = [_shortened(path) for path in points[PATH]]
    lengths = [len(json.dumps([path, label])) for path, label in zip(paths, points[LABEL], strict=True)]
    # Names of ordinary length all find room; of absurd ones, as many as do.
    n = int(np.searchsorted(np.cumsum(lengths), _MAX_NAME_BYTES, side="right"))
    points = points.head(n)
    codes, distinct = pd.factorize(points[LABEL], sort=True)
    labels: list[str] = distinct.tolist()
    keys: list[str] = points[PATH].tolist()
    scores = points[["pc1", "pc2", "pc3"]].to_numpy(np.float64)
    largest = max(float(np.abs(scores).max(initial=0)), float(np.finfo(np.float32).tiny))
    pictured = [i for i, path in enumerate(keys) if path in thumbnails]
    side = len(next(iter(thumbnails.values()))) if thumbnails else 1
    sheets = _sheets([thumbnails[keys[i]] for i in pictured], side)
    pictured = pictured[: sum(size for _, size in sheets)]
    tile = np.zeros(n, "<u2")
    tile[pictured] = np.arange(1, len(pictured) + 1)
    ratios = pca_quality["explained_variance_ratio"][:3]
    total = pca_quality["n_images"]
    data = {
        "finding": f"{count(total, 'image')} on the first "
        + (f"{len(ratios)} components" if len(ratios) > 1 else "component")
        + f", which keep{'' if len(ratios) > 1 else 's'} {100 * sum(ratios):.1f} % of the variance",
        "sampled": f"{count(n, 'point')}{' drawn by hash of the path' if n < total else ''}, "
        f"{count(len(pictured), 'picture')}, shown as squares. Nothing leaves this file.",
        "ratios": ratios,
        "largest": largest,
        "labels": labels,
        "order": sorted(range(len(labels)), key=lambda i: labels[i].lower()),
        "colours": COLOURS[:7],
        "label": _base64(codes.astype("<u2").tobytes()),
        "scores": _base64(np.round((scores / largest + 1) * 32767.5).astype("<u2").tobytes()),
        "paths": paths[:n],
        "tile": _base64(tile.tobytes()),
        "sheets": [sheet for sheet, _ in sheets],
        "side": side,
        "columns": _COLUMNS,
        "rows": _ROWS,
    }
    page = _filled(data)
    statistics = {f"pictures_{name}": n_pictures for name, n_pictures in picture_statistics.items()}
    return page, {"points": n, "thumbnails": len(pictured), "bytes": len(page), **statistics}


def _filled(data: Mapping[str, Any]) -> str:
    files = resources.files(__package__)
    script, style, page = (
        files.joinpath(f"explorer.{kind}").read_text("ascii") for kind in ("js", "css", "html")
    )
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"POLICY": policy, "STYLE": style, "SCRIPT": script, "DATA": _in_html(data)}
    # The data come last: what looks like a mark in them is a name.
    for name, text in parts.items():
        page = page.replace(f"@@{name}@@", text, 1)
    return page


def _in_html(data: Mapping[str, Any]) -> str:
    """Return JSON in which no name can end its element or begin another."""
    text = json.dumps(data, separators=(",", ":"))
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&@"})


def _hash(text: str) -> str:
    return f"'sha256-{_base64(hashlib.sha256(text.encode()).digest())}'"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _shortened(path: str) -> str:
    if len(path) <= _MAX_PATH:
        return path
    half = _MAX_PATH // 2
    return f"{path[: half - 1]}\N{HORIZONTAL ELLIPSIS}{path[-half:]}"


def _sheets(pictures: Sequence[NDArray[np.uint8]], side: int) -> list[tuple[str, int]]:
    """Return sheets of pictures as base64 of JPEG, each with the number of pictures in it.

    The quality is the best with which all find room; of noise, fewer pictures do at the worst.
    """
    per_sheet = _COLUMNS * _ROWS
    groups = [pictures[start : start + per_sheet] for start in range(0, len(pictures), per_sheet)]
    sheets: list[str] = []
    for quality in _QUALITIES:
        sheets = [_sheet(group, side, quality) for group in groups]
        if sum(map(len, sheets)) <= _MAX_SHEET_BYTES:
            break
    while sum(map(len, sheets)) > _MAX_SHEET_BYTES:
        sheets.pop()
    return [(sheet, len(group)) for sheet, group in zip(sheets, groups, strict=False)]


def _sheet(pictures: Sequence[NDArray[np.uint8]], side: int, quality: int) -> str:
    rows = -(-len(pictures) // _COLUMNS)
    sheet = np.full((rows * side, _COLUMNS * side, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = i // _COLUMNS * side, i % _COLUMNS * side
        sheet[top : top + side, left : left + side] = picture
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "JPEG", quality=quality)
    return _base64(file.getvalue())
