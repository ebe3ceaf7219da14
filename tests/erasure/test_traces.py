import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fruits_bigdata.erasure.request import ErasureError, Request
from fruits_bigdata.erasure.traces import _CHUNK_BYTES, find_traces
from fruits_bigdata.storage.locations import url_to_fs

NAME = 'Café <&"crème">/a\\b, é.jpg'


def found(folder: Path, request: Request) -> dict[str, int]:
    return {Path(trace.url).name: trace.rows for trace in find_traces([str(folder)], request)}


def test_rows_are_counted_and_every_spelling_is_seen(tmp_path):
    rows = pd.DataFrame({"path": [NAME, "b.jpg", NAME], "reason": "damaged", "features": [[1.0]] * 3})
    rows.to_parquet(tmp_path / "rows.parquet")
    rows.assign(path="b.jpg", reason=f"vanished: {NAME}").to_parquet(tmp_path / "reason.parquet")
    pd.DataFrame({"add": [{"path": NAME}]}).to_parquet(tmp_path / "1.checkpoint.parquet")
    whole = (tmp_path / "rows.parquet").read_bytes()
    (tmp_path / ".rows.parquet.tmp").write_bytes(whole)
    (tmp_path / ".half.parquet.tmp").write_bytes(b"PAR1" + NAME.encode())
    (tmp_path.with_name(f"{tmp_path.name}.0123.tmp")).write_text(NAME)
    # The footer is whole, the rows are not.
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1" + NAME.encode().ljust(100) + whole[104:])
    pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "no text.parquet")
    rows[["path"]].to_csv(tmp_path / "rows.csv")
    (tmp_path / "text.txt").write_text(f"read {NAME}.")
    (tmp_path / "metrics.json").write_text(json.dumps({"path": NAME}))
    (tmp_path / "utf-8.json").write_text(json.dumps({"path": NAME}, ensure_ascii=False))
    page = json.dumps([NAME]).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    (tmp_path / "page.html").write_text(page)
    (tmp_path / "log.txt").write_text(f"such as {NAME!r}")
    np.savez(tmp_path / "names.npz", paths=np.array([NAME]))
    np.savez(tmp_path / "json.npz", paths=json.dumps([NAME]))
    np.savez_compressed(tmp_path / "packed.npz", paths=np.array([NAME] * 100))
    with zipfile.ZipFile(tmp_path / "slides.pptx", "w", zipfile.ZIP_DEFLATED) as slides:
        slides.writestr("slide1.xml", f"<a>{NAME}</a>" * 100)
    (tmp_path / "_hidden").mkdir()
    (tmp_path / "_hidden/.checksum").write_text(NAME)
    # Where one part of what is read ends and the next begins.
    (tmp_path / "long").write_bytes(bytes(_CHUNK_BYTES - 5) + NAME.encode() + bytes(10))
    (tmp_path / "nothing.txt").write_text("Café")
    (tmp_path / "cut off.npz").write_bytes(b"PK\x03\x04")
    packed = (tmp_path / "packed.npz").read_bytes()
    (tmp_path / "damaged.npz").write_bytes(packed[:60] + bytes(10) + packed[70:])
    seen = found(tmp_path, Request.of([NAME], []))
    assert seen == dict.fromkeys(seen, 0) | {"rows.parquet": 2, ".rows.parquet.tmp": 2}
    everything = {path.name for path in tmp_path.rglob("*") if path.is_file()} | {f"{tmp_path.name}.0123.tmp"}
    assert everything - set(seen) == {"no text.parquet", "nothing.txt", "cut off.npz", "damaged.npz"}


def test_a_bucket_is_searched_as_a_disk_is(bucket, tmp_path):
    fs, root = url_to_fs(f"{bucket}/Results")
    pd.DataFrame({"path": [NAME, "b.jpg"]}).to_parquet(tmp_path / "t.parquet")
    np.savez(tmp_path / "m.npz", paths=json.dumps([NAME]))
    for name in ("t.parquet", "m.npz"):
        fs.put_file(str(tmp_path / name), f"{root}/version=1/{name}")
    fs.pipe_file(f"{root}_PCA/other.txt", NAME.encode())
    request = Request.of([NAME], [])
    traces = find_traces([f"{bucket}/Results", f"{bucket}/Results/version=1/m.npz", f"{bucket}/No"], request)
    assert {(trace.url, trace.rows) for trace in traces} == {
        (f"{bucket}/Results/version=1/m.npz", 0),
        (f"{bucket}/Results/version=1/t.parquet", 1),
    }


def test_a_prefix_is_seen_and_other_images_are_not(tmp_path):
    pd.DataFrame({"path": ["a/1.jpg", "a/2.jpg", "aa/1.jpg", "b/a/1.jpg"]}).to_parquet(tmp_path / "t.parquet")
    assert found(tmp_path, Request.of([], ["a/"])) == {"t.parquet": 2}
    assert found(tmp_path, Request.of(["a/1.jpg"], [])) == {"t.parquet": 1}
    assert found(tmp_path, Request.of(["1.jpg"], [])) == {}
    (tmp_path / "about.json").write_text('{"type": "a/png", "log": "/data/a/"}')
    (tmp_path / "log.txt").write_text("such as a/1.jpg")
    assert found(tmp_path, Request.of([], ["a/"])) == {"t.parquet": 2}
    pd.DataFrame({"path": ["a/1.jpg", "a/2.jpg"]}).to_parquet(tmp_path / "t.parquet")
    assert found(tmp_path, Request.of([], ["a/"])) == {"t.parquet": 2, "log.txt": 0}


def test_what_is_a_part_of_another_images_name_is_looked_for_in_rows_alone(tmp_path):
    (tmp_path / "page.html").write_text('["aa/1.jpg"]')
    pd.DataFrame({"path": ["aa/1.jpg"]}).to_parquet(tmp_path / "t.parquet")
    request = Request.of(["a/1.jpg"], [])
    assert found(tmp_path, request) == {}
    pd.DataFrame({"path": ["b.jpg"]}).to_parquet(tmp_path / "t.parquet")
    assert found(tmp_path, request) == {"page.html": 0}
    pd.DataFrame({"path": ["a/1.jpg"]}).to_parquet(tmp_path / "t.parquet")
    assert found(tmp_path, request) == {"t.parquet": 1, "page.html": 0}


@pytest.mark.parametrize(
    ("paths", "prefixes"), [([], []), ([""], []), ([], ["/"]), (["../1.jpg"], []), ([], ["a/../"])]
)
def test_what_would_be_too_much_or_elsewhere_is_refused(paths, prefixes):
    with pytest.raises(ErasureError):
        Request.of(paths, prefixes)
