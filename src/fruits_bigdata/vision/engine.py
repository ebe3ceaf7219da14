"""From pixels to features: one LiteRT interpreter in each process."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray


@dataclass(frozen=True)
class CompiledModel:
    """What a worker needs to featurize.

    Attributes:
        featurizer: Fingerprint of weights, precision and preprocessing.
        weights_digest: SHA-256 over the weights' tensors.
        content: The LiteRT flatbuffer.
        reduced_decoding: Whether large photographs are decoded at a reduced size: see `pixels.decode`.
    """

    featurizer: str
    weights_digest: str
    content: bytes
    reduced_decoding: bool = False


class Engine:
    """A compiled model, ready to run on one thread.

    Args:
        model: A LiteRT flatbuffer with one input (1, height, width, 3), float32 for pixels scaled to -1 ... 1
            or int8 for pixels less 128, and one float32 output (1, n).

    Raises:
        ValueError: `model` is no such flatbuffer.
    """

    def __init__(self, model: bytes) -> None:
        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        (details,) = self._interpreter.get_input_details()
        self._input = details["index"]
        self._takes_int8 = details["dtype"] == np.int8
        self._output = self._interpreter.get_output_details()[0]["index"]
        self.input_shape = tuple(details["shape"][1:])
        self.n_features = int(self._interpreter.get_output_details()[0]["shape"][1])

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of one image, float32, shape (n_features,).

        Args:
            pixels: RGB, uint8, the model's height x width x 3.
        """
        # Straight into the model's own memory.
        tensor = self._interpreter.tensor(self._input)()[0]
        if self._takes_int8:
            np.bitwise_xor(pixels, 0x80, out=tensor.view(np.uint8))
        else:
            # keras.applications.mobilenet_v2.preprocess_input, mode "tf".
            np.divide(pixels, 127.5, out=tensor, dtype=np.float32)
            np.subtract(tensor, 1.0, out=tensor)
        # The interpreter does not run while anybody looks into it.
        del tensor
        self._interpreter.invoke()
        features: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        return features


_engines: dict[str, Engine] = {}


def shared_engine(key: str, model: Callable[[], bytes]) -> Engine:
    """Return this process's engine for `key`, made at the first call and kept for those that follow.

    Args:
        key: Names the model; a process that is given another key drops the engine it had.
        model: Returns the flatbuffer; called only when an engine has to be made.
    """
    if key not in _engines:
        engine = Engine(model())
        _engines.clear()
        _engines[key] = engine
    return _engines[key]
