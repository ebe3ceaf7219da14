"""The output's lock in the catalog, so that it lies where the environment puts the output."""

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from fruits_bigdata.output_lock import OutputLock


class OutputLockDataset(AbstractDataset[NoReturn, OutputLock]):
    """The lock of an output folder; the hook `LockHooks` takes it for a run.

    Args:
        filepath: The lock's file: a local path or an `s3://` address.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> OutputLock:
        """Return the lock, not yet taken."""
        return OutputLock(self._filepath)

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the lock is taken and given back."""
        raise DatasetError(f"The lock {self._filepath} is taken and given back, not saved")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
