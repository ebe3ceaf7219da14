import sys
from collections.abc import Callable

import pytest
from kedro.framework.context import KedroContext

from fruits_bigdata.cli.command_line import ReferenceInParameterError
from fruits_bigdata.hooks.refusals import CutParameterError, PlaceError, PlaceHooks, UnknownParameterError
from fruits_bigdata.pipeline_registry import register_pipelines
from fruits_bigdata.pipelines.parameters import ParameterError
from tests.support.commands import run_module


@pytest.fixture
def load_places(load_context, bucket, s3_endpoint) -> Callable[..., KedroContext]:
    """Return the context of a run with the given places; BUCKET in them is a bucket that is there."""

    def load(**places: str) -> KedroContext:
        given = {
            name: place.replace("BUCKET", bucket.removeprefix("s3://")) for name, place in places.items()
        }
        return load_context(s3={"endpoint_url": s3_endpoint}, **given)

    return load


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images_pth": "/x"}, "no parameter 'images_pth': did you mean images_path"),
        ({"pca": {"n_component": 3}}, "no parameter 'pca.n_component': did you mean pca.n_components"),
        ({"zzz": 1}, "no parameter 'zzz': there are .*output_path"),
    ],
)
def test_a_mistyped_parameter_is_refused(load_context, given, said):
    with pytest.raises(UnknownParameterError, match=said):
        load_context(**given)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"images_path": "/x/Test", "output_path": "/x/Test"}, "among the images of /x/Test"),
        ({"images_path": "/x/Test", "output_path": "/x/Test/deep/out"}, "be listed as one of them"),
        (
            {"images_path": "s3a://BUCKET", "output_path": "s3://BUCKET/out"},
            "among the images of s3://BUCKET",
        ),
        ({"images_path": "/x", "output_path": "/o", "models_path": "/x/models"}, "compiled_models would be"),
        ({"images_path": "/x", "output_path": "/o [a]"}, "for a pattern: choose another output_path"),
        ({"images_path": "/x", "output_path": "/o/12:30"}, "for a scheme: choose another output_path"),
        (
            {"images_path": "/x", "output_path": "s3://BUCKET/12:30"},
            "written to BUCKET/12:30/.*, and Hadoop takes",
        ),
        ({"images_path": "/x", "output_path": "/o%20a"}, "take '%20' for another character"),
        ({"images_path": "/x", "output_path": "s3://BUCKET/a\tb"}, r"take '\\t' for another character"),
    ],
)
def test_places_that_do_not_go_together_are_refused(load_places, bucket, places, said):
    catalog = load_places(**places).catalog
    with pytest.raises(PlaceError, match=said.replace("BUCKET", bucket.removeprefix("s3://"))):
        PlaceHooks().before_pipeline_run(register_pipelines()["__default__"], catalog)


@pytest.mark.parametrize(
    ("images_path", "output_path"),
    [
        ("/x/Test", "/x"),
        ("/x/Test", "/x/Test2"),
        ("/x [a]/Test", "/o"),
        ("/x: a/Test", "/o, #50% é='\"&+~"),
        ("s3://BUCKET/Test", "s3://BUCKET"),
        ("/BUCKET", "s3://BUCKET"),
    ],
)
def test_neighbouring_places_are_fine(load_places, images_path, output_path):
    catalog = load_places(images_path=images_path, output_path=output_path).catalog
    PlaceHooks().before_pipeline_run(register_pipelines()["__default__"], catalog)


def test_a_place_is_judged_by_the_name_that_spark_is_given(load_context, tmp_path):
    (tmp_path / "12:30").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "12:30")
    (tmp_path / "a:link").symlink_to(tmp_path)
    PlaceHooks().before_pipeline_run(
        register_pipelines()["export"], load_context(output_path=f"{tmp_path}/link").catalog
    )
    with pytest.raises(PlaceError, match="a:link"):
        PlaceHooks().before_pipeline_run(
            register_pipelines()["export"], load_context(output_path=f"{tmp_path}/a:link").catalog
        )


def test_a_path_that_yaml_would_cut_off_is_refused(load_context, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["kedro", "run", "--params", "limit=1,images_path=/My #1"])
    with pytest.raises(CutParameterError, match="--params 'images_path=\"/My #1\"'"):
        load_context(images_path="/My")


def test_a_path_that_yaml_takes_for_a_number_is_refused(load_context):
    with pytest.raises(ParameterError, match=r"images_path=7: give text; .* needs quotes"):
        load_context(images_path=7)


def test_all_parameters_are_checked_before_anything_starts(load_context):
    with pytest.raises(ParameterError) as error:
        load_context(pca={"n_components": True}, retry_rejected="yse", limit=-1, max_rejected_share=2)
    assert str(error.value).splitlines() == [
        "retry_rejected=yse: give true or false",
        "max_rejected_share=2: give a number less than or equal to 1",
        "limit=-1: give a number greater than 0",
        "pca.n_components=true: give a whole number from 1 to 1280, or a share of the variance between 0 "
        "and 1 such as 0.95",
    ]


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ("images_path=/a/${b}", "images_path"),
        ("images_path=/a/${b", "images_path"),
        ("s3.region=${x:y}", "s3.region"),
        ('pca.n_components="${a"', "pca.n_components"),
    ],
)
def test_a_reference_on_the_command_line_is_refused_in_a_sentence(params, name):
    done = run_module("kedro", "run", "--params", params)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(f"Error: {name}=")
    assert "symbolic link" in done.stderr


def test_a_reference_given_by_a_program_is_refused_before_it_is_looked_up(load_context):
    with pytest.raises(ReferenceInParameterError, match=r"^s3\.region="):
        load_context(s3={"region": "${x}"})
