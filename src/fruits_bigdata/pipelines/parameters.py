"""Every parameter of `conf/<env>/parameters*.yml`, and what is allowed for it."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails

from fruits_bigdata.linalg.pca import PcaError, Scale, check_n_components
from fruits_bigdata.tables.schemas import N_FEATURES
from fruits_bigdata.vision.model import Precision

Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]

# By pydantic's names of errors; of others, its own words are told.
_ALLOWED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text; what YAML takes for something else needs quotes",
    "string_too_short": "text",
    "string_pattern_mismatch": "64 hexadecimal digits, in lower case",
    "extra_forbidden": "no such name: there is no such parameter",
}


class ParameterError(ValueError):
    """Parameters have values that are not allowed; the message has a line for each."""


class _Parameters(BaseModel):
    # Strict: true is no number of components, and "yes" no truth.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FeaturizationParameters(_Parameters):
    """Parameters of the featurization.

    Attributes:
        images_per_task: Images of one Spark task at most: what a failed task repeats.
        fetch_threads: Threads in each worker that fetch and decode while the model works.
        precision: "float32", or "int8": 1.3 times as fast, close to it, calibrated on the images.
        reduced_decoding: Let the JPEG decoder deliver large photographs at a reduced size: see
            `images.pixels.decode`.
    """

    images_per_task: PositiveInt = 5000
    fetch_threads: PositiveInt
    precision: Precision = "float32"
    reduced_decoding: bool = False


class PcaParameters(_Parameters):
    """Parameters of the PCA.

    Attributes:
        n_components: A number of components or a share of the variance, as in scikit-learn.
        solver: "moments", or "spark_ml" for Spark ML's own components, for comparison.
        scale: "std" divides each feature by its standard deviation.
        refit: "auto" keeps the axes of the model before while the drift is within `refit_tolerance`, "always"
            fits anew, "never" keeps them whatever the drift.
        refit_tolerance: The largest drift (see `linalg.pca.drift`) with which "auto" keeps the axes.
    """

    n_components: int | float
    solver: Literal["moments", "spark_ml"]
    scale: Scale
    refit: Literal["auto", "always", "never"] = "auto"
    refit_tolerance: Share = 0.01

    @field_validator("n_components", mode="before")
    @classmethod
    def _is_possible(cls, n_components: object) -> int | float:
        if isinstance(n_components, int | float) and not isinstance(n_components, bool):
            try:
                check_n_components(n_components, N_FEATURES)
                return n_components
            except PcaError:
                pass
        raise ValueError(
            f"a whole number from 1 to {N_FEATURES}, or a share of the variance between 0 and 1 such as 0.95"
        )

    @property
    def of_the_axes(self) -> str:
        """The parameters that the axes depend on, as JSON."""
        return self.model_dump_json(include={"n_components", "solver", "scale"})


class S3Parameters(_Parameters):
    """How S3 is reached: see `conf/base/globals.yml`."""

    endpoint_url: Text | None
    region: Text
    path_style: bool
    timeout_seconds: PositiveFloat
    attempts: PositiveInt
    encryption: Literal["AES256", "aws:kms"] | None
    kms_key: Text | None

    @field_validator("endpoint_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        # Clients disagree on the host of addresses that have more.
        if url is None or re.fullmatch(r"(?i:https?)://[^\s/@?#\\]+/?", url):
            return url
        raise ValueError("null for AWS, or an address without user and path, such as https://s3.example.eu")


class RunParameters(_Parameters):
    """All parameters of a run: see `conf/base/parameters.yml`, which says what each is for."""

    images_path: Text
    output_path: Text
    weights_path: Text | None
    models_path: Text
    weights_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    dry_run: bool
    retry_rejected: bool
    max_rejected_share: Share
    max_removed_share: Share
    repair: bool
    limit: PositiveInt | None
    featurization: FeaturizationParameters
    pca: PcaParameters
    s3: S3Parameters
    executors: PositiveInt | None
    allowed_regions: dict[str, Text | None]
    allowed_endpoints: dict[str, Text | None]


def check_parameters(parameters: Mapping[str, Any]) -> RunParameters:
    """Return the parameters of a run, once all have been checked.

    Raises:
        ParameterError: Some have values that are not allowed.
    """
    try:
        return RunParameters.model_validate(parameters)
    except ValidationError as error:
        raise ParameterError("\n".join(_sentence(one) for one in error.errors())) from None


def _sentence(error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    name = ".".join(map(str, error["loc"]))
    if kind == "missing":
        return f"{name} is missing in conf: take it from conf/base/parameters*.yml"
    if kind == "value_error":
        allowed = str(error["ctx"]["error"])
    elif kind == "literal_error":
        allowed = error["ctx"]["expected"]
    else:
        allowed = _ALLOWED.get(kind, error["msg"].replace("Input should be", "a number"))
    return f"{name}={value if isinstance(value, str) else json.dumps(value, default=str)}: give {allowed}"
