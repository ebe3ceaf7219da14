import pytest
from kedro.framework.cli.utils import _split_params

from fruits_bigdata.cli.command_line import (
    ReferenceInParameterError,
    find_comment,
    make_parameters,
    quote_parameter,
    refuse_references,
)
from tests.support.commands import PROJECT, run_module


@pytest.mark.parametrize(
    "path",
    [
        "/data/plain",
        "/data/My #1, 50% = a: b",
        " /spaces /",
        "007",
        "2024-01-01",
        "null",
        "~",
        "[a]",
        "{a}",
        "#a",
        "a\\,b",
        "\"a\" 'b'",
        "new\nline\ttab",
        "é🍎",
        "-",
    ],
)
def test_a_quoted_path_arrives_unharmed(path):
    # Kedro's own reading of --params.
    given = f"a=1,images_path={quote_parameter(path)},b=2"
    assert _split_params(None, None, given) == {"a": 1, "images_path": path, "b": 2}  # type: ignore[arg-type]
    assert find_comment(["kedro", "run", "--params", given]) is None


def test_make_hands_its_paths_on_whatever_they_hold():
    given = {"IMAGES": "/a, b #1", "OUTPUT": "/o=1", "WEIGHTS": "", "PARAMS": "limit=3,pca.n_components=2"}
    printed = run_module("fruits_bigdata.cli.command_line", **given)
    assert printed.stdout.rstrip("\n") == make_parameters(given)
    assert _split_params(None, None, make_parameters(given)) == {  # type: ignore[arg-type]
        "images_path": "/a, b #1",
        "output_path": "/o=1",
        "limit": 3,
        "pca": {"n_components": 2},
    }
    assert make_parameters({}) == ""


def test_make_run_asks_for_them():
    recipe = (PROJECT / "Makefile").read_text().partition("\nrun:")[2].partition("\n\n")[0]
    assert 'params="$$($(BIN)/python -m fruits_bigdata.cli.command_line)" && $(BIN)/kedro run' in recipe


@pytest.mark.parametrize(
    "arguments",
    [
        ["--params", "limit=3,images_path=/My #1"],
        ["--params=images_path=/My #1"],
        ["--params", "images_path=#1"],
        ["--params", "images_path= /My\t#1,limit=3"],
    ],
)
def test_what_yaml_would_cut_off_is_found(arguments):
    assert find_comment(["kedro", "run", *arguments]) is not None


@pytest.mark.parametrize(
    "arguments", [["--params", "images_path=/My#1"], ["--params", "a='b #1'"], ["--tags", "a=b #c"], []]
)
def test_what_yaml_keeps_is_not(arguments):
    assert find_comment(["kedro", "run", *arguments]) is None


def test_references_are_found_wherever_they_are():
    refuse_references({"images_path": "/a $b", "pca": {"n_components": 3}})
    with pytest.raises(ReferenceInParameterError, match=r"^s3.region=\$\{x\}: .*symbolic link"):
        refuse_references({"s3": {"region": "${x}"}})
