from pathlib import Path
from typing import Any

import pytest
from kedro.io import DatasetError
from pptx import Presentation

from fruits_bigdata.datasets.presentation_dataset import PresentationDataset


def presentation(title: str) -> Any:
    made = Presentation()
    made.slides.add_slide(made.slide_layouts[5]).shapes.title.text = title
    return made


def title(dataset: PresentationDataset) -> str:
    return str(dataset.load().slides[0].shapes.title.text)


def test_what_is_saved_is_loaded_on_disk(tmp_path: Path) -> None:
    dataset = PresentationDataset(filepath=f"{tmp_path}/a report/slides.pptx")
    assert not dataset.exists()
    for i in range(2):
        dataset.save(presentation(f"été {i}"))
    assert title(dataset) == "été 1"
    assert dataset.exists()
    assert [path.name for path in (tmp_path / "a report").iterdir()] == ["slides.pptx"]


def test_and_on_s3(bucket: str) -> None:
    dataset = PresentationDataset(filepath=f"{bucket}/report/slides.pptx")
    dataset.save(presentation("été"))
    assert title(dataset) == "été"
    assert dataset.exists()


def test_the_old_file_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    dataset = PresentationDataset(filepath=f"{tmp_path}/slides.pptx")
    dataset.save(presentation("whole"))

    class Half:
        def save(self, file: Any) -> None:
            file.write(b"half")
            raise OSError("no more")

    with pytest.raises(DatasetError, match="no more"):
        dataset.save(Half())
    assert title(dataset) == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["slides.pptx"]
