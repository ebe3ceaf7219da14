"""MobileNetV2's weights: read from and written to Keras' legacy HDF5, known by a digest of their numbers."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Self

import h5py
import numpy as np

WEIGHTS_FILE_NAME = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
"""The name under which keras.applications publishes and caches this file."""

IMAGENET_DIGEST = "c009b1f1262c1f55420ed4f95d0f338acb97548930c6f6c8f3383b79544088a8"
"""`Weights.digest` of Keras' ImageNet weights (alpha 1.0, 224 x 224, no top): 260 tensors, 2,257,984 values.

The tensors were compared with three other authors' models, and their features with two others' from EMR.
"""

# Keras 2 transposes kernels that come from version "1" or another backend, so a reader must find others here.
_KERAS_VERSION = "2.2.4-tf"
_BACKEND = "tensorflow"


@dataclass(frozen=True)
class Weights:
    """The tensors of a model's layers. Made by `Weights.of`; equal if their digests are.

    Attributes:
        layers: pairs of a layer's name and its tensors, each float32 and read-only, in the model's order;
            layers without tensors are left out.
        digest: SHA-256 (hex) over the raw little-endian float32 bytes of all tensors, one after another. It
            does not depend on the file's container, nor on layers' names.
    """

    layers: tuple[tuple[str, tuple[np.ndarray, ...]], ...] = field(compare=False, repr=False)
    digest: str

    @classmethod
    def of(cls, layers: Iterable[tuple[str, Iterable[np.ndarray]]]) -> Self:
        """The weights with these layers, copied as float32, and their digest."""
        frozen = tuple((name, tuple(_frozen(tensor) for tensor in tensors)) for name, tensors in layers)
        kept = tuple((name, tensors) for name, tensors in frozen if tensors)
        sha256 = hashlib.sha256()
        for _, tensors in kept:
            for tensor in tensors:
                sha256.update(tensor.tobytes())
        return cls(kept, sha256.hexdigest())

    @property
    def counts(self) -> tuple[int, int]:
        """How many tensors and how many values there are."""
        tensors = [tensor for _, tensors in self.layers for tensor in tensors]
        return len(tensors), sum(tensor.size for tensor in tensors)


BACKBONE_LAYERS = (
    "Conv1",
    "bn_Conv1",
    *(
        f"{block}_{part}{norm}"
        for block in ("expanded_conv", *(f"block_{number}" for number in range(1, 17)))
        for part in ("expand", "depthwise", "project")
        # The first block does not widen its input.
        if (block, part) != ("expanded_conv", "expand")
        for norm in ("", "_BN")
    ),
    "Conv_1",
    "Conv_1_bn",
)
"""The 104 layers with tensors of keras.applications.MobileNetV2(include_top=False), in the model's order."""


def read_weights(file: BinaryIO | Path, names: Sequence[str] = BACKBONE_LAYERS) -> Weights:
    """Read layers of a Keras legacy HDF5 file: of weights only, or of a whole saved model.

    Args:
        file: a path, or a binary stream that can seek.
        names: the layers, in the order in which they are returned: all others, as a classifier's head, stay.

    Raises:
        ValueError: not HDF5, damaged, or a layer is missing.
        OSError: a path that cannot be opened (FileNotFoundError if there is none).
    """
    if isinstance(file, Path):
        file = BytesIO(file.read_bytes())
    try:
        archive = h5py.File(file, "r")
    except OSError as error:
        raise ValueError(f"not a readable HDF5 file ({error}); a Keras legacy HDF5 file is needed") from error
    with archive:
        try:
            group = archive.get("model_weights", archive)
            layers = {name: _tensors(group[name]) for name in names if name in group}
        # h5py reports a damaged file with any of these.
        except (KeyError, OSError, RuntimeError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"an HDF5 file, but without Keras' legacy weights ({error}); save the model's weights as .h5"
            ) from error
    missing = [name for name in names if name not in layers]
    if missing:
        shown = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        raise ValueError(
            f"not MobileNetV2's weights: {len(missing)} of {len(names)} layers are missing ({shown}); "
            "name the layers as keras.applications does, and save the weights as Keras' legacy .h5"
        )
    return Weights.of(layers.items())


def write_weights(weights: Weights, file: BinaryIO | Path) -> None:
    """Write Keras legacy HDF5 that `read_weights` and a Keras model's `load_weights` read.

    Keras matches the layers that have tensors by their order, so the layers without any need not be there.
    """
    with h5py.File(file, "w") as archive:
        archive.attrs["backend"] = np.bytes_(_BACKEND)
        archive.attrs["keras_version"] = np.bytes_(_KERAS_VERSION)
        archive.attrs["layer_names"] = np.array([name for name, _ in weights.layers], dtype="S")
        for name, tensors in weights.layers:
            group = archive.create_group(name)
            paths = [f"{name}/tensor_{number}" for number in range(len(tensors))]
            group.attrs["weight_names"] = np.array(paths, dtype="S")
            for path, tensor in zip(paths, tensors, strict=True):
                group.create_dataset(path, data=tensor)


def _frozen(tensor: np.ndarray) -> np.ndarray:
    copy = np.array(tensor, dtype="<f4", order="C")
    copy.setflags(write=False)
    return copy


def _tensors(group: Any) -> list[np.ndarray]:
    return [group[name][()] for name in group.attrs["weight_names"]]
