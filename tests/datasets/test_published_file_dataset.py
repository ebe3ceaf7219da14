import inspect
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kedro.io import DatasetError
from kedro_datasets._typing import ImagePreview, JSONPreview
from matplotlib.figure import Figure

from fruits_bigdata.datasets.published_file_dataset import PublishedFileDataset
from fruits_bigdata.storage.locations import url_to_fs


def json_file(folder: Path | str) -> PublishedFileDataset:
    return PublishedFileDataset(filepath=f"{folder}/a report/metrics.json", dataset="json.JSONDataset")


@pytest.mark.parametrize("place", ["tmp_path", "bucket"])
def test_what_is_saved_is_loaded_on_disk_and_on_s3(place, request):
    folder = request.getfixturevalue(place)
    dataset = json_file(folder)
    assert not dataset.exists()
    for i in range(2):
        dataset.save({"i": i})
    assert dataset.load() == {"i": 1}
    assert dataset.exists()
    fs, path = url_to_fs(f"{folder}/a report")
    assert [name.rsplit("/", 1)[-1] for name in fs.ls(path, detail=False)] == ["metrics.json"]


def test_the_old_file_stays_when_the_new_one_fails(tmp_path):
    dataset = json_file(tmp_path)
    dataset.save({"whole": True})
    # The JSON is half written when the encoder meets what it cannot write.
    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save({"half": True, "rest": object()})
    assert dataset.load() == {"whole": True}
    assert [path.name for path in (tmp_path / "a report").iterdir()] == ["metrics.json"]


def test_a_reader_on_s3_sees_one_version_while_others_replace_it(bucket):
    dataset = json_file(bucket)
    dataset.save([0] * 1_000)
    with ThreadPoolExecutor(1) as pool:
        saves = [pool.submit(dataset.save, [i] * 1_000) for i in range(1, 50)]
        while not all(save.done() for save in saves):
            numbers = dataset.load()
            assert len(numbers) == 1_000
            assert len({*numbers}) == 1
        for save in saves:
            save.result()


PLOT = {"type": "matplotlib.MatplotlibDataset", "save_args": {"dpi": 30}}


@pytest.mark.parametrize(
    ("name", "config", "data", "kind"),
    [("metrics.json", "json.JSONDataset", {"i": 1}, JSONPreview), ("plot.png", PLOT, Figure(), ImagePreview)],
)
def test_kedro_viz_previews_it_as_what_it_is(tmp_path, name, config, data, kind):
    dataset = PublishedFileDataset(filepath=f"{tmp_path}/{name}", dataset=config)
    dataset.save(data)
    assert inspect.signature(dataset.preview).return_annotation == kind.__name__
    assert dataset.preview()
