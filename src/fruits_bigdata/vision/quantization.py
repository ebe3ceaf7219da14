"""MobileNetV2 in eight bits: Keras weights and a sample of images to a LiteRT flatbuffer of integers.

1. Fold the batch norms into the convolutions, and make one of the two linear 1 x 1 convolutions that follow
   each other (expanded_conv_project, block_1_expand), so that the sensitive tensor between them is gone.
2. Run the sample in float32: the mean of each layer's inputs, the range of each tensor by channel.
3. Equalise the linear bottlenecks (Nagel et al. 2019, arXiv:1906.04721): channel c of a residual stream is
   multiplied by s_c, and its readers' weights are divided by it. Without an activation between them this
   changes nothing in float32.
4. Round the weights to int8 by output channel, and put the mean of the rounding's error into the bias (the
   same paper). Depthwise weights are where plain rounding loses most.
5. Give ranges and weights to TensorFlow's converter as fake-quantisation nodes. Conv1 and the first depthwise
   layer, 0.05 % of the weights, stay in float32.

benchmarks/int8.py holds the result against float32 and against the converter's own quantisation.
"""

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BATCH = 10
# Weights are symmetric, -127 ... 127.
_LEVELS = 127
_MAX_GAIN = 8.0
# Half of the way, on a logarithmic scale, to the same range for each channel of a bottleneck.
_EQUALISATION = 0.5
_IN_FLOAT32 = ("Conv1", "expanded_conv_depthwise")

# The engine's input q is the pixel less 128, and stands for q / 127.5; the network wants
# (q + 128) / 127.5 - 1 = (q + 0.5) / 127.5, so Conv1's bias takes the difference.
_INPUT = "input"
_INPUT_SCALE = 1 / 127.5
_INPUT_SHIFT = 0.5 / 127.5


@dataclass
class _Layer:
    """A convolution with its batch norm folded in.

    Attributes:
        weights: (height, width, inputs, outputs); depthwise (height, width, channels, 1).
        residual: Whether the block's input is added to what comes out.
        limits: By output channel, the weight that 127 stands for; None while the layer is in float32.
    """

    name: str
    depthwise: bool
    weights: Array
    bias: Array
    stride: int
    relu6: bool
    residual: bool = False
    limits: NDArray[np.float32] | None = None


@dataclass
class _Observed:
    """What the sample shows: the mean of each layer's inputs, each tensor's range by channel."""

    means: dict[str, Array] = field(default_factory=dict)
    ranges: dict[str, tuple[Array, Array]] = field(default_factory=dict)


def quantize(keras_model: Any, calibration: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return the flatbuffer of `keras_model` in eight bits.

    Its input is int8, (1, 224, 224, 3), the pixels less 128; its output float32, (1, 1280).

    Args:
        keras_model: keras.applications.MobileNetV2 without its top, with its weights.
        calibration: Images, each uint8, (224, 224, 3); some 100 are enough.

    Raises:
        ValueError: There is no image.
    """
    if not calibration:
        raise ValueError("There is no image to calibrate on")
    layers = _merge_first_bottleneck(_fold(keras_model))
    observed = _observe(layers, calibration)
    _equalise(layers, observed)
    for layer in layers:
        if layer.name not in _IN_FLOAT32:
            _round_weights(layer, observed.means[layer.name])
    layers[0].bias = layers[0].bias + _INPUT_SHIFT * layers[0].weights.sum((0, 1, 2))
    ranges = {name: (float(low.min()), float(high.max())) for name, (low, high) in observed.ranges.items()}
    ranges[_INPUT] = (-128 * _INPUT_SCALE, 127 * _INPUT_SCALE)
    del ranges[_IN_FLOAT32[0]]
    return _convert(layers, ranges)


def _fold(keras_model: Any) -> list[_Layer]:
    layers: list[_Layer] = []
    for layer in keras_model.layers:
        kind = type(layer).__name__
        if kind == "Add":
            layers[-1].residual = True
        if kind not in ("Conv2D", "DepthwiseConv2D"):
            continue
        norm_name = {"Conv1": "bn_Conv1", "Conv_1": "Conv_1_bn"}.get(layer.name, f"{layer.name}_BN")
        norm = keras_model.get_layer(norm_name)
        gamma, beta, mean, variance = (tensor.astype(np.float64) for tensor in norm.get_weights())
        gain = gamma / np.sqrt(variance + norm.epsilon)
        depthwise = kind == "DepthwiseConv2D"
        layers.append(
            _Layer(
                name=layer.name,
                depthwise=depthwise,
                weights=layer.get_weights()[0].astype(np.float64) * (gain[:, None] if depthwise else gain),
                bias=beta - mean * gain,
                stride=layer.strides[0],
                relu6=not layer.name.endswith("project"),
            )
        )
    return layers


def _merge_first_bottleneck(layers: list[_Layer]) -> list[_Layer]:
    stem, depthwise, project, expand, *rest = layers
    widen = expand.weights[0, 0]
    expand.weights = (project.weights[0, 0] @ widen)[None, None]
    expand.bias = project.bias @ widen + expand.bias
    return [stem, depthwise, expand, *rest]


def _run(
    layers: list[_Layer], x: Any, tensor: Callable[[str, Any], Any], weights: Callable[[_Layer, Any], Any]
) -> Any:
    """Build the network; `tensor` may replace each tensor, `weights` gives a layer's for its input."""
    import tensorflow as tf

    x = block = tensor(_INPUT, x)
    for layer in layers:
        if layer.name.endswith("expand"):
            block = x
        convolve = tf.nn.depthwise_conv2d if layer.depthwise else tf.nn.conv2d
        x = convolve(x, weights(layer, x), [1, layer.stride, layer.stride, 1], "SAME")
        x = tf.nn.bias_add(x, layer.bias.astype(np.float32))
        x = tensor(layer.name, tf.nn.relu6(x) if layer.relu6 else x)
        if layer.residual:
            x = tensor(f"{layer.name}/add", tf.add(x, block))
    return x


def _observe(layers: list[_Layer], calibration: Sequence[NDArray[np.uint8]]) -> _Observed:
    import tensorflow as tf

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def look(x: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        means, ranges = {}, {}

        def tensor(name: str, t: Any) -> Any:
            ranges[name] = (tf.reduce_min(t, [0, 1, 2]), tf.reduce_max(t, [0, 1, 2]))
            return t

        def weights(layer: _Layer, t: Any) -> Any:
            size, stride = layer.weights.shape[0], layer.stride
            if size > 1:
                t = tf.image.extract_patches(t, [1, size, size, 1], [1, stride, stride, 1], [1] * 4, "SAME")
            means[layer.name] = tf.reduce_mean(t, [0, 1, 2])
            return layer.weights.astype(np.float32)

        _run(layers, x, tensor, weights)
        return means, ranges

    observed = _Observed()
    for start in range(0, len(calibration), _BATCH):
        batch = np.stack(calibration[start : start + _BATCH])
        means, ranges = look(batch / np.float32(127.5) - 1)
        share = len(batch) / len(calibration)
        for name, mean in means.items():
            observed.means[name] = observed.means.get(name, 0.0) + share * mean.numpy().astype(np.float64)
        for name, (low, high) in ranges.items():
            lowest, highest = observed.ranges.get(name, (low.numpy(), high.numpy()))
            observed.ranges[name] = (np.minimum(lowest, low.numpy()), np.maximum(highest, high.numpy()))
    return observed


def _equalise(layers: list[_Layer], observed: _Observed) -> None:
    streams: list[list[tuple[_Layer, _Layer]]] = []
    for writer, reader in pairwise(layers):
        if not writer.relu6:
            if not writer.residual:
                streams.append([])
            streams[-1].append((writer, reader))
    for stream in streams:
        names = [f"{writer.name}{end}" for writer, _ in stream for end in ("", "/add")]
        names = [name for name in names if name in observed.ranges]
        reach = np.max([np.maximum(-low, high) for low, high in map(observed.ranges.get, names)], axis=0)  # type: ignore[misc]
        gain = np.minimum(reach.max() / np.maximum(reach, 1e-9), _MAX_GAIN) ** _EQUALISATION
        for name in names:
            low, high = observed.ranges[name]
            observed.ranges[name] = (low * gain, high * gain)
        for writer, reader in stream:
            writer.weights, writer.bias = writer.weights * gain, writer.bias * gain
            reader.weights = reader.weights / gain[:, None]
            observed.means[reader.name] = observed.means[reader.name] * gain


def _round_weights(layer: _Layer, mean: Array) -> None:
    n_outputs = len(layer.bias)
    columns = layer.weights.reshape(-1, n_outputs)
    scale = np.maximum(np.abs(columns).max(0), 1e-8) / _LEVELS
    rounded = np.round(columns / scale) * scale
    # Each output of a depthwise layer has nine inputs of its own.
    inputs = mean.reshape(-1, n_outputs) if layer.depthwise else mean[:, None]
    layer.bias = layer.bias + ((columns - rounded) * inputs).sum(0)
    layer.weights = rounded.reshape(layer.weights.shape)
    layer.limits = (scale * _LEVELS).astype(np.float32)


def _convert(layers: list[_Layer], ranges: dict[str, tuple[float, float]]) -> bytes:
    import tensorflow as tf

    def tensor(name: str, t: Any) -> Any:
        if name not in ranges:
            return t
        return tf.quantization.fake_quant_with_min_max_vars(t, *ranges[name], num_bits=8)

    def weights(layer: _Layer, _: Any) -> Any:
        values = layer.weights.astype(np.float32)
        if layer.limits is None:
            return values
        # The operation takes the last axis for the outputs.
        outputs_last = values.reshape(*values.shape[:2], -1) if layer.depthwise else values
        on_grid = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            outputs_last, -layer.limits, layer.limits, num_bits=8, narrow_range=True
        )
        return tf.reshape(on_grid, values.shape)

    @tf.function(input_signature=[tf.TensorSpec([1, 224, 224, 3], tf.float32)], autograph=False)  # type: ignore[untyped-decorator]
    def network(x: Any) -> Any:
        return tf.reduce_mean(_run(layers, x, tensor, weights), [1, 2])

    # There are no variables, only constants, so that nothing can be lost: see `model.compile_model`.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.int8
    with contextlib.redirect_stdout(io.StringIO()):
        content: bytes = converter.convert()
    return content
