"""A loaded model: texts and windows of sound in, unit vectors out.

Each tower is opened at its first use. On the CPU one item goes through a tower at a time: a batch is no faster there
(measured: mini 1.8-2.1 ms a window at any batch size), and an item's vector is then the same whatever was computed beside it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import InvalidQuery, ModelBroken
from audiosearch.models.bundle import AUDIO, TEXT, TOKENIZER, Bundle, ModelIdentity

if TYPE_CHECKING:
    import onnxruntime
    import tokenizers

log = logging.getLogger(__name__)

# Unlike inputs of a working tower have cosines far below; a collapsed one gives > 0.999 for all.
_COLLAPSED = 0.99


class Model:
    """The two towers of a bundle; thread-safe. `threads` is how many one item may use."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle
        self.identity: ModelIdentity = bundle.identity
        self._threads = threads
        self._lock = threading.Lock()
        self._audio: onnxruntime.InferenceSession | None = None
        self._text: onnxruntime.InferenceSession | None = None
        self._tokenizer: tokenizers.Tokenizer | None = None

    @property
    def dimension(self) -> int:
        """Number of values of a vector."""
        return self.bundle.dimension

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 unit vectors of texts, taken as they are (see `apply_template`).

        A text beyond the model's limit of tokens is cut there, with a notice.
        """
        with self._lock:
            if self._text is None:
                self._text = self._open(TEXT)
                self._tokenizer = self._open_tokenizer()
        assert self._tokenizer is not None
        found = np.empty((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            # Lone surrogates (bytes of a command line that are not UTF-8) are no text.
            encoding = self._tokenizer.encode(text.encode("utf-8", "replace").decode())
            if encoding.overflowing:
                log.warning(
                    "the text %r... is longer than the %d tokens that %s reads: its end is ignored",
                    text[:30],
                    self.bundle.max_tokens,
                    self.bundle.name,
                )
            ids = np.array([encoding.ids], dtype=np.int64)
            mask = np.array([encoding.attention_mask], dtype=np.int64)
            found[row] = self._run(self._text, {"input_ids": ids, "attention_mask": mask}, TEXT)
        return found

    def embed_features(self, features: np.ndarray) -> np.ndarray:
        """(n, frames, mels) float32 as `frontend.log_mel` makes them -> (n, d) float32 unit vectors."""
        with self._lock:
            if self._audio is None:
                self._audio = self._open(AUDIO)
        found = np.empty((len(features), self.dimension), dtype=np.float32)
        for row, item in enumerate(features):
            found[row] = self._run(self._audio, {"input_features": item[None, None]}, AUDIO)
        return found

    def embed_audio(self, windows: np.ndarray) -> np.ndarray:
        """(n, window_samples) float32 -> (n, d) float32 unit vectors."""
        from audiosearch.models.frontend import log_mel

        return self.embed_features(log_mel(windows, self.bundle.front_end))

    def check(self) -> None:
        """Raises `ModelBroken` where unlike inputs cannot be told apart, as in a collapsed text tower."""
        noise = np.random.default_rng(0).normal(0, 0.1, (2, self.bundle.window_samples))
        noise[1] = 0.5 * np.sin(np.arange(noise.shape[1]) * 0.1)
        towers = {
            "text": self.embed_text(["a dog barks", "heavy rain on a tin roof"]),
            "audio": self.embed_audio(noise.astype(np.float32)),
        }
        for tower, (one, other) in towers.items():
            if not float(one @ other) < _COLLAPSED:
                raise ModelBroken(
                    f"the model {self.bundle.name} cannot be used: its {tower} tower gives unlike inputs "
                    f"the same vector (cosine {float(one @ other):.4f})"
                )

    def _run(
        self, session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray], tower: str
    ) -> np.ndarray:
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

        try:
            vector: np.ndarray = session.run(None, inputs)[0][0]
        except (Fail, InvalidArgument) as error:
            raise self._broken(tower, error) from error
        if vector.shape != (self.dimension,):
            raise self._broken(tower, f"it gives {vector.shape}, not ({self.dimension},)")
        length = float(np.linalg.norm(vector))
        if not length > 0 or not np.isfinite(length):
            raise self._broken(tower, "it gives vectors without a direction")
        return vector / np.float32(length)

    def _open(self, name: str) -> onnxruntime.InferenceSession:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        onnxruntime.set_default_logger_severity(4)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        try:
            return onnxruntime.InferenceSession(
                str(self.bundle.directory / name), options, providers=["CPUExecutionProvider"]
            )
        except (
            state.Fail,
            state.InvalidGraph,
            state.InvalidProtobuf,
            state.InvalidArgument,
            state.NotImplemented,
            state.RuntimeException,
            state.NoSuchFile,
        ) as error:
            raise self._broken(name, error) from error

    def _open_tokenizer(self) -> tokenizers.Tokenizer:
        import tokenizers

        path = self.bundle.directory / TOKENIZER
        try:
            tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # noqa: BLE001 - the binding raises nothing more narrow
            raise self._broken(TOKENIZER, error) from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.bundle.max_tokens)
        return tokenizer

    def _broken(self, name: str, reason: Any) -> ModelBroken:
        line = " ".join(str(reason).split())[:200]
        return ModelBroken(f"the model is broken: {self.bundle.directory / name}: {line}")


def apply_template(template: str, text: str) -> str:
    """The text in place of the template's ``{}``. Raises `InvalidQuery` where it has none."""
    if "{}" not in template:
        raise InvalidQuery(f"the template {template!r} has no {{}} for the text to go in")
    return template.replace("{}", text, 1)
