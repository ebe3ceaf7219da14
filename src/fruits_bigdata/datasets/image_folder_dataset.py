"""The folder of images."""

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from fruits_bigdata.images.folder import ImageFolder


class ImageFolderDataset(AbstractDataset[NoReturn, ImageFolder]):
    """A folder of JPEG and PNG files, one folder per class below it; it is only read.

    Args:
        filepath: The folder: a local path or an `s3://` address.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> ImageFolder:
        """Return the folder.

        Raises:
            DatasetError: It does not exist.
        """
        folder = ImageFolder(self._filepath)
        if not folder.exists():
            raise DatasetError(
                f"The images folder {self._filepath} does not exist or is no folder: name the folder that "
                f"holds one folder per class with --params images_path=..."
            )
        return folder

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the images are the user's."""
        raise DatasetError(f"The images folder {self._filepath} is only read, never written")

    def _exists(self) -> bool:
        return ImageFolder(self._filepath).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
