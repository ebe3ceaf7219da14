import fsspec
import pytest

from fruits_bigdata.privacy.encryption import EncryptionError, check_encryption
from fruits_bigdata.storage.files import atomic_write
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.storage.s3 import configure_s3, s3a_encryption
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import REJECTED_SCHEMA

KEY = "arn:aws:kms:eu-west-3:123456789012:key/1"


def test_a_bucket_that_does_not_encrypt_is_refused_unless_the_run_does(bare_bucket):
    with pytest.raises(EncryptionError, match=f"^features lies in {bare_bucket}, which does not encrypt"):
        check_encryption({"features": f"{bare_bucket}/Results"}, {})
    check_encryption({"features": f"{bare_bucket}/Results"}, {"encryption": "AES256"})


def test_a_bucket_that_encrypts_is_taken_and_a_local_folder_is_nobodys_business(bucket):
    check_encryption({"features": f"{bucket}/Results", "images": "/data"}, {})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"encryption": "AES256"}, {"ServerSideEncryption": "AES256"}),
        ({"encryption": "aws:kms", "kms_key": KEY}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY}),
    ],
)
def test_what_python_writes_is_encrypted_as_the_settings_say(bare_bucket, s3_settings, settings, expected):
    configure_s3(s3_settings | settings)
    with atomic_write(f"{bare_bucket}/report.json") as file:
        file.write(b"{}")
    # By each of the clients: s3fs, obstore and delta-rs.
    table = Table(f"{bare_bucket}/Results", REJECTED_SCHEMA)
    table.commit(Change(table, [table.folder.write(REJECTED_SCHEMA.empty_table())]))
    fs, name = url_to_fs(bare_bucket)
    keys = [path.partition("/")[2] for path in fs.find(name)]
    assert len(keys) == 4
    for key in keys:
        head = fs.call_s3("head_object", Bucket=name, Key=key)
        assert {field: head.get(field) for field in expected} == expected, key


@pytest.mark.parametrize(
    "settings", [{"encryption": "rot13"}, {"encryption": "aws:kms"}, {"encryption": "AES256", "kms_key": KEY}]
)
def test_an_encryption_that_is_none_is_refused(settings, monkeypatch):
    monkeypatch.setattr(fsspec.config, "conf", {})
    with pytest.raises(ValueError, match=r"^s3\.encryption="):
        configure_s3({"region": "eu-west-3", **settings})
    assert fsspec.config.conf == {}


def test_s3a_has_other_names_for_the_same():
    assert [s3a_encryption(name) for name in (None, "AES256", "aws:kms")] == [None, "AES256", "SSE-KMS"]
