import logging

import numpy as np
import pytest
from PIL import Image

from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.images.pixels import decode
from fruits_bigdata.pipelines.featurization import calibration
from fruits_bigdata.pipelines.featurization.calibration import sample_pixels


def test_the_sample_is_the_same_each_time_and_spread_over_the_classes(tmp_path, monkeypatch):
    for label in range(4):
        (tmp_path / str(label)).mkdir()
        for i in range(50):
            Image.new("RGB", (8, 8), (label, i, 0)).save(tmp_path / str(label) / f"{i}.png")
    monkeypatch.setattr(calibration, "N_IMAGES", 60)
    sample = sample_pixels(ImageFolder(str(tmp_path)))
    np.testing.assert_array_equal(sample, sample_pixels(ImageFolder(str(tmp_path))))
    assert np.shape(sample) == (60, 224, 224, 3)
    found = {tuple(image[0, 0, :2]) for image in sample}
    assert len(found) == 60
    by_label = np.bincount([label for label, _ in found])
    assert by_label.min() > 5


def test_images_that_cannot_be_used_are_left_out(images_path, image_folder, caplog):
    (images_path / "Apple Red" / "0_100.jpg").write_bytes(b"no picture")
    with caplog.at_level(logging.INFO):
        sample = sample_pixels(image_folder)
    assert len(sample) == 5
    assert "Not calibrated on Apple Red/0_100.jpg: not a JPEG or PNG" in caplog.text
    good = decode(image_folder.read("Apple Red/1_100.jpg"))
    assert any(np.array_equal(good, image) for image in sample)


def test_a_folder_without_a_usable_image_says_so(tmp_path):
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ValueError, match=r"int8 needs images .*precision=float32"):
        sample_pixels(ImageFolder(str(tmp_path)))
