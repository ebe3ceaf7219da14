"""Every parameter, and what is allowed for it."""

from typing import Any

import pytest

from fruits_bigdata.pipelines.parameters import ParameterError, PcaParameters, RunParameters, check_parameters
from tests.support.commands import run_python


@pytest.fixture(scope="module")
def shipped(load_context) -> dict[str, Any]:
    return dict(load_context().config_loader["parameters"])


def changed(parameters: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    first, _, rest = name.partition(".")
    return {**parameters, first: changed(parameters[first], rest, value) if rest else value}


def test_the_files_name_every_parameter_and_no_other(shipped):
    assert set(shipped) == set(RunParameters.model_fields)
    for part in ("featurization", "pca", "s3"):
        assert set(shipped[part]) == set(type(getattr(check_parameters(shipped), part)).model_fields)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("images_path", None, "images_path=null: give text"),
        ("output_path", "", "output_path=: give text"),
        ("models_path", 2024, "models_path=2024: give text; what YAML takes for something else needs quotes"),
        ("weights_digest", "abc", "weights_digest=abc: give 64 hexadecimal digits, in lower case"),
        ("dry_run", "no", "dry_run=no: give true or false"),
        ("max_rejected_share", True, "max_rejected_share=true: give a number"),
        ("max_removed_share", -0.1, "max_removed_share=-0.1: give a number greater than or equal to 0"),
        ("max_removed_share", float("nan"), "max_removed_share=NaN: give a number"),
        ("limit", True, "limit=true: give a whole number"),
        ("limit", 0, "limit=0: give a number greater than 0"),
        ("featurization.images_per_task", 0, "featurization.images_per_task=0: give a number greater than 0"),
        ("featurization.fetch_threads", "8", "featurization.fetch_threads=8: give a whole number"),
        ("featurization.precision", "int4", "featurization.precision=int4: give 'float32' or 'int8'"),
        ("pca.n_components", 0, "pca.n_components=0: give a whole number from 1 to 1280, or a share"),
        ("pca.n_components", "all", "pca.n_components=all: give a whole number from 1 to 1280"),
        ("pca.scale", "min", "pca.scale=min: give 'none' or 'std'"),
        ("pca.refit", True, "pca.refit=true: give 'auto', 'always' or 'never'"),
        ("pca.refit_tolerance", 5, "pca.refit_tolerance=5: give a number less than or equal to 1"),
        ("pca", 50, "pca=50: give "),
        ("s3.attempts", 0, "s3.attempts=0: give a number greater than 0"),
        (
            "s3.endpoint_url",
            "s3.example.eu",
            "s3.endpoint_url=s3.example.eu: give null for AWS, or an address",
        ),
        (
            "s3.endpoint_url",
            "https://s3.eu-west-3.amazonaws.com@evil.us",
            "s3.endpoint_url=https://s3.eu-west-3",
        ),
        (
            "s3.endpoint_url",
            r"https://evil.us\@s3.eu-west-3.amazonaws.com",
            "s3.endpoint_url=https://evil.us",
        ),
        ("s3.region", None, "s3.region=null: give text"),
        ("s3.encryption", "AES", "s3.encryption=AES: give 'AES256' or 'aws:kms'"),
        ("executors", -2, "executors=-2: give a number greater than 0"),
        ("allowed_regions.us-east-1", True, "allowed_regions.us-east-1=true: give text"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(shipped, name, value, sentence):
    with pytest.raises(ParameterError) as error:
        check_parameters(changed(shipped, name, value))
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 1),
        ("executors", None),
        ("max_rejected_share", 0),
        ("max_rejected_share", 1),
        ("pca.n_components", 1280),
        ("pca.n_components", 0.95),
        ("weights_digest", "0" * 64),
        ("s3.timeout_seconds", 0.5),
        ("s3.endpoint_url", "http://127.0.0.1:9000/"),
        ("allowed_regions.us-east-1", None),
    ],
)
def test_what_is_allowed_is_taken(shipped, name, value):
    check_parameters(changed(shipped, name, value))


def test_a_parameter_that_is_missing_or_unknown_in_the_files_is_named(shipped):
    with pytest.raises(ParameterError, match="limit is missing"):
        check_parameters({name: value for name, value in shipped.items() if name != "limit"})
    with pytest.raises(ParameterError, match=r"zzz=1: .*there is no such parameter"):
        check_parameters({**shipped, "zzz": 1})


def test_the_parameters_of_the_axes_are_those_that_they_depend_on():
    parameters = PcaParameters(n_components=3, solver="moments", scale="none", refit="never")
    assert parameters.of_the_axes == '{"n_components":3,"solver":"moments","scale":"none"}'


def test_parameters_are_checked_without_spark():
    program = "import sys, fruits_bigdata.pipelines.parameters\nprint('pyspark' in sys.modules)"
    done = run_python(program)
    assert done.stdout == "False\n", done.stderr
