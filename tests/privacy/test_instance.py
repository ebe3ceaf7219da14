import pytest

from fruits_bigdata.privacy import instance
from fruits_bigdata.privacy.instance import MetadataError, instance_metadata, is_instance


def test_the_instance_is_asked_with_a_token(metadata_service):
    metadata_service({"placement/region": "eu-west-3\n"})
    assert instance_metadata("placement/region") == "eu-west-3"
    with pytest.raises(MetadataError, match="does not answer: HTTP Error 404"):
        instance_metadata("instance-type")


def test_no_answer_is_an_error(metadata_service, monkeypatch):
    # The first version of the service is not asked.
    metadata_service({"placement/region": "eu-west-3"}, tokens=False)
    with pytest.raises(MetadataError, match="HTTP Error 403"):
        instance_metadata("placement/region")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MetadataError, match="does not answer"):
        instance_metadata("placement/region")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(MetadataError, match="AWS_EC2_METADATA_DISABLED is true"):
        instance_metadata("placement/region")


def test_the_firmware_tells_an_instance(tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", raising=False)
    vendor = tmp_path / "sys_vendor"
    monkeypatch.setattr(instance, "_MARKS", {str(vendor): "amazon"})
    assert not is_instance()
    vendor.write_text("QEMU\n")
    assert not is_instance()
    vendor.write_text("Amazon EC2\n")
    assert is_instance()
