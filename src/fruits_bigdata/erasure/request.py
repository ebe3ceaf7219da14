"""Whose images are to be erased."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class ErasureError(RuntimeError):
    """An erasure was refused."""


@dataclass(frozen=True)
class Request:
    """Images to erase, as the column `path` names them.

    Attributes:
        paths: Whole paths.
        prefixes: What paths begin with, such as a folder and its slash.

    Raises:
        ErasureError: Nothing is named, or something that is no path below the images folder.
    """

    paths: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.paths and not self.prefixes:
            raise ErasureError("Nothing is named that is to be erased: give --path, --prefix or --paths-file")
        for name in self.names:
            if not name.strip("/"):
                raise ErasureError(f"{name!r} would erase every image: name a path or what paths begin with")
            if ".." in name.split("/"):
                raise ErasureError(f"{name!r} may lead out of the images folder: give the path without '..'")
            if not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name):
                raise ErasureError(
                    f"{name!r} is no UTF-8: give the path as the tables spell it (docs/names.md)"
                )

    @classmethod
    def of(cls, paths: Iterable[str], prefixes: Iterable[str] = ()) -> "Request":
        """Return the request of some paths and prefixes."""
        return cls(frozenset(paths), tuple(dict.fromkeys(prefixes)))

    @property
    def names(self) -> list[str]:
        """Every path and prefix."""
        return sorted(self.paths) + list(self.prefixes)

    def matching(self, path: str) -> frozenset[str]:
        """Return the paths and prefixes because of which an image is to be erased."""
        return self.paths & {path} | {prefix for prefix in self.prefixes if path.startswith(prefix)}

    def mask(self, paths: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Tell of each path whether it is to be erased."""
        mask = pc.is_in(paths, value_set=pa.array(sorted(self.paths), pa.string()))
        for prefix in self.prefixes:
            mask = pc.or_(mask, pc.starts_with(paths, prefix))
        return np.asarray(mask.to_numpy(), dtype=bool)

    def below(self, folder: str) -> list[str]:
        """Return the paths and prefixes of which a folder, with a slash at its end, may hold images."""
        return [name for name in self.names if name.startswith(folder)] + [
            prefix for prefix in self.prefixes if folder.startswith(prefix) and folder != prefix
        ]


def read_names(file: Path) -> list[str]:
    """Read paths, one on each line, from a file of any system's editor.

    Raises:
        ErasureError: It is no UTF-8.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ErasureError(f"{file} is no UTF-8 ({error}): save it as UTF-8") from error
    # Not by splitlines: other line breaks, such as U+2028, may be part of a name.
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()]
