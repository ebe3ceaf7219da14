"""Real parts that tests share: a Spark session, images, weights and the model compiled from them."""

import json
import os
import subprocess
import sys
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pytest
import yaml
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image
from pyspark.sql import SparkSession

# It configures the log, which would else take pytest's handlers away in the middle of a test.
import fruits_bigdata.settings  # noqa: F401
from fruits_bigdata.datasets.compiled_models_dataset import CompiledModelsDataset
from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.spark.session import create_session
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.storage.s3 import configure_s3
from fruits_bigdata.vision.engine import CompiledModel
from fruits_bigdata.vision.model import compile_model, describe_model, model_key
from fruits_bigdata.vision.weights import Weights, write_weights
from tests.support.commands import PROJECT
from tests.support.instance_metadata import InstanceMetadata
from tests.support.local_aws import LocalAws

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


# Minutes each.
_LONGEST = ("test_rehearsal.py", "test_kill.py")
# Who asks for one of these waits for Java, a server, a browser, TensorFlow, or a run of the whole chain.
_SLOW = {"spark", "s3_endpoint", "keras_model", "run_project", "browser", "anywhere", "chromium"}
_SLOW_ROOMS = {"stress", "warmup"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow; begin with the longest, so that no process is left alone with them in the end."""
    for item in items:
        if _SLOW_ROOMS & set(item.path.parts) or _SLOW & set(item.fixturenames):  # type: ignore[attr-defined]
            item.add_marker("slow")
    items.sort(key=lambda item: item.path.name not in _LONGEST)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session with the settings that the project ships."""
    text = (PROJECT / "conf/base/spark.yml").read_text()
    settings = {key: value for key, value in yaml.safe_load(text).items() if "${" not in str(value)}
    settings |= {"spark.master": "local[2,4]", "spark.ui.enabled": False, "spark.sql.shuffle.partitions": 2}
    session = create_session(settings)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def odd_names() -> list[str]:
    """Paths of images below a folder, with names that people really use and some that nobody should."""
    return [
        "Café/é.jpg",
        unicodedata.normalize("NFD", "Café") + "/" + unicodedata.normalize("NFD", "é.jpg"),
        "50%20/a%20b.JPG",
        "50 /a b.JPG",
        "#1/a#b?c+d,e.jpeg",
        "quote\"'/new\nline.PNG",
        '"/".jpg',
        "_hidden/_DSC0001.JPG",
        ".dot/.dot.jpg",
        "apple/1.jpg",
        "Apple/1.jpg",
        "folder.jpg/1.jpg",
        "a/b/c/deep.JpEg",
        "a/deep.JpEg",
        "at the top.png",
        "long/" + "x" * 251 + ".jpg",
        "é" * 127 + "/1.jpg",
        "/".join(["deeper"] * 100) + "/1.jpg",
        "colons::in/a:b.jpg",
        "s3:/bucket.jpg",
        " spaces /  .jpg",
        "tab\t/a\tb.jpg",
        "return\r/a\rb\r\nc.jpg",
        "back\\slash\\/a\\.jpg",
        "caf\\xe9/caf%E9.jpg",
        "version=1/a=b&c;d.jpg",
        "=1+1/@x.jpg",
        "*?[a-z]{b,c}/*.jpg",
        "\x01\x1b\x7f/\x0b\x0c.jpg",
        "\u2028\x85/\ufeff\xa0.jpg",
        "🍎🏽/🍏.jpg",
        "תפוח/تفاح.jpg",
        "~/$HOME.jpg",
        "$\\frac{$^_/$.jpg",
        "a?versionId=1/b?versionId=2.jpg",
        *(
            f"{label}/1.jpg"
            for label in ("007", "2024-01-01", "1e5", "null", "NULL", "NaN", "NA", "true", "-")
        ),
    ]


@pytest.fixture(scope="session")
def odd_keys() -> list[str]:
    """Keys of S3 that no disk can hold as a path; a console makes folders of those that end in a slash."""
    return [
        "/at a slash.jpg",
        "//at two.jpg",
        "Apple//1.jpg",
        "Apple///1.jpg",
        "Apple//deeper/1.jpg",
        "dots/../1.jpg",
        "../1.jpg",
        "./1.jpg",
        "both.jpg/",
        "both.jpg/1.jpg",
        "both.jpg",
        "/",
        "//",
        "Apple/",
        "k" * 1000 + ".jpg",
    ]


@pytest.fixture
def images_path(tmp_path) -> Path:
    """Two classes of three images each, of the data set's size."""
    names = [f"{label}/{i}_100.jpg" for label in ("Apple Red", "Café crème") for i in range(3)]
    return write_images(tmp_path / "Test", names)


def write_images(folder: Path, names: Iterable[str], seed: int = 0) -> Path:
    """Write images of these names, each with its own coarse noise, and return the folder."""
    rng = np.random.default_rng(seed)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((100, 100)).save(folder / name)
    return folder


@pytest.fixture
def image_folder(images_path) -> ImageFolder:
    return ImageFolder(str(images_path))


@pytest.fixture
def listing(image_folder) -> pa.Table:
    return pa.Table.from_batches(image_folder.list_batches())


@pytest.fixture(scope="session")
def keras_model():  # type: ignore[no-untyped-def]
    """Plain Keras' MobileNetV2 with seeded weights that keep activations alive through all its layers."""
    import keras

    model = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, _, mean, variance = layer.get_weights()
            beta = rng.normal(0.3, 0.3, gamma.shape)
            layer.set_weights([rng.uniform(0.7, 1.3, gamma.shape), beta, mean, variance])
        elif layer.weights:
            (kernel,) = layer.get_weights()
            inputs = np.prod(kernel.shape[:2]) * (1 if "depthwise" in layer.name else kernel.shape[2])
            layer.set_weights([rng.normal(0, np.sqrt(2 / inputs), kernel.shape)])
    return model


@pytest.fixture(scope="session")
def weights(keras_model) -> Weights:  # type: ignore[no-untyped-def]
    layers = ((layer.name, tuple(layer.get_weights())) for layer in keras_model.layers if layer.weights)
    return Weights.of(tuple(layers))


@pytest.fixture(scope="session")
def compiled_model(weights) -> CompiledModel:
    return describe_model(weights.digest, compile_model(weights))


@pytest.fixture(scope="session")
def model_params(weights, compiled_model, tmp_path_factory) -> dict[str, str]:
    """The parameters that name the weights and the model, which need not be compiled again."""
    folder = tmp_path_factory.mktemp("models")
    with (folder / "seeded.h5").open("w+b") as file:
        write_weights(weights, file)
    CompiledModelsDataset(filepath=str(folder)).save({model_key(weights.digest): compiled_model.content})
    return {
        "weights_path": str(folder / "seeded.h5"),
        "weights_digest": weights.digest,
        "models_path": str(folder),
    }


@pytest.fixture(scope="session")
def run_project() -> Callable[..., dict[str, Any]]:
    """Run a pipeline, or a part of the whole run, in this process, and return what it returns."""
    bootstrap_project(PROJECT)

    def run(params: dict[str, Any], *pipelines: str, **part: Any) -> dict[str, Any]:
        with KedroSession.create(PROJECT, runtime_params=params) as session:
            returned: dict[str, Any] = session.run(pipeline_names=[*pipelines] or None, **part)
        return returned

    return run


def format_params(params: dict[str, Any]) -> str:
    """Return parameters as `--params` takes them."""
    flat: dict[str, object] = {}
    for name, value in params.items():
        nested = value if isinstance(value, dict) else None
        flat |= {name: value} if nested is None else {f"{name}.{key}": of for key, of in nested.items()}
    return ",".join(f"{name}={value}" for name, value in flat.items())


def run_stress(folder: Path, name: str, *flags: str, **options: object) -> tuple[Any, str]:
    """Run one of `tests/stress` with some options; return its results, and what it printed."""
    options["output"] = folder / "results.json"
    command = [sys.executable, "-m", f"tests.stress.{name}", *flags]
    command += [f"--{option.replace('_', '-')}={value}" for option, value in options.items()]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "results.json").read_text())["results"], done.stdout


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A real S3 protocol server on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def metadata_service(monkeypatch) -> Iterator[Callable[..., str]]:
    """Serve instance metadata by HTTP, to this process and to those that it starts."""
    servers: list[InstanceMetadata] = []

    def serve(metadata: dict[str, str], tokens: bool = True) -> str:
        servers.append(InstanceMetadata(metadata, tokens))
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", servers[-1].address)
        return servers[-1].address

    yield serve
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """What the server of the tests does with a cluster."""
    local = LocalAws()
    with local.taught():
        yield local


@pytest.fixture(scope="session")
def aws_endpoint(s3_endpoint, local_aws) -> str:
    """The same server, with the rest of AWS that moto imitates."""
    return s3_endpoint


@pytest.fixture
def s3_settings(s3_endpoint) -> dict[str, Any]:
    """What `conf/<env>/globals.yml` has under `s3`, for the server."""
    return {"endpoint_url": s3_endpoint, "region": "eu-west-3", "path_style": True}


@pytest.fixture
def bucket(bare_bucket) -> str:
    """A new bucket that encrypts, as AWS' all do."""
    fs, name = url_to_fs(bare_bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    fs.call_s3("put_bucket_encryption", Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return bare_bucket


@pytest.fixture
def bare_bucket(s3_settings, monkeypatch) -> str:
    """The address of a new bucket; every file system of the test talks to the server."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(fsspec.config, "conf", {})
    configure_s3(s3_settings)
    name = f"fruits-{uuid.uuid4().hex}"
    fs, _ = url_to_fs(f"s3://{name}")
    fs.call_s3("create_bucket", Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    return f"s3://{name}"


@pytest.fixture(scope="session")
def load_context() -> Callable[..., KedroContext]:
    """Return the context of a run with the given parameters."""

    def load(**runtime_params: object) -> KedroContext:
        bootstrap_project(PROJECT)
        with KedroSession.create(PROJECT, runtime_params=runtime_params) as session:
            return session.load_context()

    return load
