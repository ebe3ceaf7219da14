import numpy as np
import pyarrow as pa
import pytest

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.pipelines.pca.batches import project_batches, summarize, summary_of_row
from fruits_bigdata.tables.schemas import PCA_SCHEMA


def batch(matrix: np.ndarray) -> pa.RecordBatch:
    names = [f"{i}.jpg" for i in range(len(matrix))]
    columns = {"path": names, "label": ["a"] * len(matrix), "features": matrix.tolist()}
    schema = pa.schema({"path": pa.string(), "label": pa.string(), "features": pa.list_(pa.float32())})
    return pa.RecordBatch.from_pydict(columns, schema=schema)


def summary_of(*batches: pa.RecordBatch) -> FeatureSummary:
    return summary_of_row(summarize(batches, 1.0))


@pytest.mark.parametrize("cut", [0, 1, 33])
def test_the_summary_of_a_partition_does_not_depend_on_its_batches(matrix, cut):
    summary = summary_of(batch(matrix).slice(0, cut), batch(matrix).slice(cut))
    expected = Moments.of(matrix)
    assert summary.moments.n == expected.n
    np.testing.assert_allclose(summary.moments.gram, expected.gram, rtol=1e-13)
    sample = FeatureSample.of([f"{i}.jpg" for i in range(80)], ["a"] * 80, matrix)
    assert (summary.sample.paths, summary.sample.labels) == (sample.paths, sample.labels)
    np.testing.assert_array_equal(summary.sample.features, sample.features)


def test_an_empty_partition_has_a_summary_of_nothing():
    nothing = summary_of()
    assert nothing.moments.n == 0
    assert nothing.sample.features.shape == (0, 1280)


def test_a_slice_of_a_batch_is_projected_as_its_own_rows(matrix):
    mean, rotation = matrix.mean(axis=0), np.random.default_rng(0).normal(size=(1280, 3))
    whole = batch(matrix)
    (projected,) = project_batches([whole.slice(10, 7)], "m1", mean, rotation)
    assert projected.schema == PCA_SCHEMA
    assert projected.column("model").to_pylist() == ["m1"] * 7
    assert projected.column("path").to_pylist() == [f"{i}.jpg" for i in range(10, 17)]
    expected = (matrix[10:17] - mean) @ rotation
    np.testing.assert_allclose(projected.column("pca").to_pylist(), expected, rtol=1e-5, atol=1e-4)
