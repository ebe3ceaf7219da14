"""What the documents name is there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize("document", ["gdpr.md"])
def test_every_test_that_a_document_names_exists(document: str) -> None:
    text = (PROJECT / "docs" / document).read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 20
    for path, test in named:
        assert f"def {test}(" in (PROJECT / path).read_text() or not test, f"{path}::{test}"


def test_the_record_quotes_what_the_guard_says() -> None:
    record = " ".join((PROJECT / "docs/gdpr.md").read_text().split())
    # The f-strings of the guard, without what they fill in.
    guard = (PROJECT / "src/fruits_bigdata/cloud/residency.py").read_text()
    said = " ".join(re.findall(r'f"(.*)"', guard))
    for words in (
        "only: move it to a bucket in one of these, or",
        "only: start the cluster in one of these, or",
        "check the bucket's name, the credentials and their right to s3:GetBucketLocation",
        "which is not AWS: nobody can tell where.",
        "(http:// is for a server on this machine only, whatever allowed_endpoints says)",
    ):
        assert words in record, words
        assert " ".join(words.split()) in " ".join(said.split()), words
