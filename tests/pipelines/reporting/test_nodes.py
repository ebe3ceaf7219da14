from typing import Any

import pandas as pd
import pytest

from fruits_bigdata.pipelines.reporting import nodes
from fruits_bigdata.pipelines.reporting.nodes import (
    TooManyRejectedError,
    check_rejected_share,
    read_report_pictures,
)


def test_pictures_are_those_of_the_examples_and_of_the_first_points(image_folder, monkeypatch):
    paths = [row["path"] for batch in image_folder.list_batches() for row in batch.to_pylist()]
    monkeypatch.setattr(nodes, "_MAX_THUMBNAILS", 2)
    near = [{"path": paths[4]}, {"path": "gone/1.jpg"}]
    examples = {"examples": [{"path": paths[5], "neighbours": near}]}
    shown, thumbnails, statistics = read_report_pictures(
        image_folder, pd.DataFrame({"path": paths}), examples
    )
    assert set(shown) == set(paths[4:6])
    assert set(thumbnails) == set(paths[:2])
    assert {picture.shape for picture in shown.values()} == {(128, 128, 3)}
    assert {picture.shape for picture in thumbnails.values()} == {(64, 64, 3)}
    assert statistics == {"wanted": 5, "missing": 1}


def featurization(rejected: int, images: int) -> dict[str, Any]:
    example = {"path": "a/b.jpg", "reason": "damaged: why"}
    kinds = [{"kind": "damaged", "images": rejected, "examples": [example]}]
    return {"images": images, "rejected": rejected, "rejections": kinds}


@pytest.mark.parametrize(("rejected", "images"), [(0, 0), (0, 4), (2, 4)])
def test_a_share_of_the_images_may_be_rejected(rejected, images):
    check_rejected_share(featurization(rejected, images), 0.5, b"")


@pytest.mark.parametrize("rejected", [3, 4])
def test_too_many_rejected_images_fail_the_run_with_reasons(rejected):
    said = (
        f"{rejected} of this run's 4 images were rejected, and max_rejected_share is 0.5: {rejected} damaged"
    )
    with pytest.raises(TooManyRejectedError, match=f"{said} .such as 'a/b.jpg': damaged: why"):
        check_rejected_share(featurization(rejected, 4), 0.5, b"")
