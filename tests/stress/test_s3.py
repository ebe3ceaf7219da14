"""Runs whose images and output lie on S3: a real S3 protocol server."""

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.storage.s3 import configure_s3
from tests.support.commands import PROJECT
from tests.support.runs import FEATURES, read_table

ACCESS_KEY, SECRET_KEY = "AKIAPLANTEDFORTHETEST", "planted/secret+access/key"


@pytest.fixture
def on_s3(bare_bucket, s3_settings, params) -> dict[str, Any]:
    """Parameters of a run whose every place is on S3, with another encryption than the bucket's own."""
    fs, name = url_to_fs(bare_bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    fs.call_s3("put_bucket_encryption", Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    fs.put(f"{params['images_path']}/", f"{name}/Test/", recursive=True)
    # s3:// and s3a:// are the same thing.
    return {
        "images_path": f"{bare_bucket}/Test",
        "output_path": f"{bare_bucket}/out".replace("s3://", "s3a://"),
        "models_path": f"{bare_bucket}/Models",
        "s3": {**s3_settings, "encryption": "AES256"},
        "pca": {"n_components": 5},
    }


def start(command: list[str], tmp_path: Path) -> str:
    """Run with planted credentials from a profile; return what is logged."""
    (tmp_path / "credentials").write_text(
        f"[planted]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment |= {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_PROFILE": "planted"}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_a_run_from_s3_to_s3_leaves_what_one_on_disk_does(
    on_s3, bare_bucket, s3_settings, command, undisturbed, tmp_path
):
    whole = [word.replace("loading,featurization", "__default__") for word in command(**on_s3)]
    said = start(whole, tmp_path)
    configure_s3(s3_settings)
    fs, name = url_to_fs(bare_bucket)
    fs.get(f"{name}/out/", str(tmp_path / "out"), recursive=True)
    found = read_table(tmp_path / "out" / FEATURES)
    assert list(found["path"]) == list(undisturbed["path"])
    np.testing.assert_array_equal(np.stack(found["features"]), np.stack(undisturbed["features"]))
    written = [path for path in fs.find(name) if not path.startswith(f"{name}/Test/")]
    assert len(written) > 20
    for path in written:
        head = fs.call_s3("head_object", Bucket=name, Key=path.partition("/")[2])
        assert head.get("ServerSideEncryption") == "AES256", path
        for key in (ACCESS_KEY, SECRET_KEY):
            assert key.encode() not in fs.cat_file(path), path
    assert ACCESS_KEY not in said
    assert SECRET_KEY not in said
    # The second run finds all done, and leaves the files as they are.
    again = start(whole, tmp_path)
    assert "150 images listed: 150 featurized before" in again
    assert set(fs.find(f"{name}/out/04_feature")) == {path for path in written if "/04_feature/" in path}
