"""The parts of a bundle that run: the graphs, on ONNX Runtime, and the tokenizer.

A broken file, whatever it holds, raises `ModelBroken` with one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import ModelBroken

if TYPE_CHECKING:
    import tokenizers


@cache
def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return the errors that ONNX Runtime raises; they have no parent of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = [kind for kind in vars(state).values() if isinstance(kind, type)]
    return tuple(kind for kind in kinds if issubclass(kind, Exception))


# These are the names of the vectors in a graph with several outputs: in our own graphs, and in
# those of hubs.
_OUTPUTS = ("embedding", "audio_embeds", "text_embeds")


class Tower:
    """A graph that makes vectors (n, d) of n items. Several threads may run it at once.

    `inputs` are the names of the available inputs. The graph must take the first, and may lack the
    others: text towers of hubs have no ``attention_mask``, since the mask of a single text is 1
    throughout.
    """

    def __init__(
        self, path: Path, inputs: Sequence[str], threads: int, providers: Sequence[str]
    ) -> None:
        import onnxruntime

        self._path = path
        onnxruntime.set_default_logger_severity(4)  # else it also writes its errors to stderr
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=list(providers)
            )
        except _runtime_errors() as error:
            raise broken(path, error) from error
        self.inputs = tuple(each.name for each in self._session.get_inputs())
        if inputs[0] not in self.inputs or not set(self.inputs) <= set(inputs):
            raise broken(path, f"its inputs are {list(self.inputs)}, not {list(inputs)}")
        outputs = [made.name for made in self._session.get_outputs()]
        if not outputs:
            raise broken(path, "it has no outputs")
        self._output = next((name for name in outputs if name in _OUTPUTS), outputs[0])

    def run(self, inputs: Mapping[str, np.ndarray], dimension: int) -> np.ndarray:
        """Return (n, d) float32: the vectors of n items."""
        try:
            values = {name: inputs[name] for name in self.inputs}
            (output,) = self._session.run([self._output], values)
        except _runtime_errors() as error:
            raise broken(self._path, error) from error
        count = len(next(iter(inputs.values())))
        vectors = np.asarray(output)
        if vectors.shape != (count, dimension) or vectors.dtype != np.float32:
            raise broken(
                self._path,
                f"it gives {vectors.dtype} {vectors.shape}, not float32 {(count, dimension)}",
            )
        return vectors


def open_tokenizer(path: Path, max_tokens: int) -> tokenizers.Tokenizer:
    """Return the tokenizer. It cuts texts at `max_tokens`, and does not pad them."""
    import tokenizers

    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the binding has no narrower error
        raise broken(path, error) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def broken(path: Path, reason: object) -> ModelBroken:
    """Return the error for a file of a bundle, with a C library's message on one line."""
    line = " ".join(str(reason).split())
    return ModelBroken(f"the model is broken: {path}: {line[:200]}")
