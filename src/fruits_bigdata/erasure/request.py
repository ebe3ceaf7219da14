"""Whose images are to be erased."""

from collections.abc import Iterable
from dataclasses import dataclass


class ErasureError(RuntimeError):
    """An erasure was refused, or is not complete."""


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

    @classmethod
    def of(cls, paths: Iterable[str], prefixes: Iterable[str]) -> "Request":
        """Return the request of some paths and prefixes."""
        return cls(frozenset(paths), tuple(dict.fromkeys(prefixes)))

    @property
    def names(self) -> list[str]:
        """Every path and prefix."""
        return sorted(self.paths) + list(self.prefixes)

    def matches(self, path: str) -> bool:
        """Tell whether an image is to be erased."""
        return path in self.paths or path.startswith(self.prefixes)
