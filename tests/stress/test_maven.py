import pytest

from tests.support.maven import retrieve

# 10 kB, and what it needs.
MODULE = "io.opentracing:opentracing-noop:0.33.0"


@pytest.mark.network
def test_jars_come_with_what_they_need_but_for_what_is_excluded(tmp_path):
    def jars(folder: str) -> set[str]:
        return {path.name for path in (tmp_path / folder).glob("*.jar")}

    noop, api = "opentracing-noop-0.33.0.jar", "opentracing-api-0.33.0.jar"
    retrieve(tmp_path / "all", MODULE)
    assert jars("all") == {noop, api}
    retrieve(tmp_path / "alone", MODULE, transitive=False)
    assert jars("alone") == {noop}
    retrieve(tmp_path / "excluded", MODULE, exclude=["io.opentracing:opentracing-api"])
    assert jars("excluded") == {noop}


@pytest.mark.network
def test_what_there_is_not_is_said(tmp_path):
    with pytest.raises(RuntimeError, match=r"did not give no\.such:thing:1"):
        retrieve(tmp_path, "no.such:thing:1")
