"""Files as Spark's own source for binary files reads them."""

from kedro_datasets.spark import SparkDatasetV2
from pyspark.sql import DataFrame

from fruits_bigdata.spark.session import get_session


class BinaryFilesDataset(SparkDatasetV2):  # type: ignore[misc]
    """Spark's files, read in the project's session. The arguments are those of `spark.SparkDatasetV2`.

    That one starts a session with Spark's defaults where there is none, which everything after it would use.
    """

    def _load(self) -> DataFrame:
        """Return the DataFrame; Kedro makes `load` of it."""
        get_session()
        files: DataFrame = super()._load()
        return files
