"""The columns of the output contract: each name and type is written here once."""

import pyarrow as pa

PATH = "path"
LABEL = "label"
LENGTH = "length"
MODIFIED = "modified"
FEATURIZER = "featurizer"
FEATURES = "features"
REASON = "reason"
MODEL = "model"
PCA = "pca"

N_FEATURES = 1280

# An image is the same image as before when its place, its class, its size and its date are the same.
KEY = [PATH, LABEL, LENGTH, MODIFIED]

_FEATURES_FIELD = pa.field(FEATURES, pa.list_(pa.float32()))
_REASON_FIELD = pa.field(REASON, pa.string())

IMAGES_SCHEMA = pa.schema(
    {PATH: pa.string(), LABEL: pa.string(), LENGTH: pa.int64(), MODIFIED: pa.timestamp("us", tz="UTC")}
)
_DONE_SCHEMA = IMAGES_SCHEMA.append(pa.field(FEATURIZER, pa.string()))
FEATURES_SCHEMA = _DONE_SCHEMA.append(_FEATURES_FIELD)
REJECTED_SCHEMA = _DONE_SCHEMA.append(_REASON_FIELD)
# What a worker says of an image: its features or, if it has none, the reason.
OUTCOME_SCHEMA = FEATURES_SCHEMA.append(_REASON_FIELD)
PCA_SCHEMA = pa.schema(
    {PATH: pa.string(), LABEL: pa.string(), MODEL: pa.string(), PCA: pa.list_(pa.float32())}
)


def pca_column_names(n_components: int) -> list[str]:
    """Return the CSV's score columns, `pca_00`, `pca_01`, ..., in the order of the components."""
    width = max(2, len(str(n_components - 1)))
    return [f"{PCA}_{i:0{width}d}" for i in range(n_components)]
