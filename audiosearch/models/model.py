"""A loaded model: it turns texts and windows of sound into unit vectors.

The model opens each tower at its first use. One item goes through a tower at a time: on a CPU a
batch is no faster (mini: 1.8-2.1 ms a window at any size of batch), and so an item's bits do not
depend on the items beside it. Callers that have more cores call from several threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import InvalidQuery, ModelBroken
from audiosearch.models.bundle import AUDIO, TEXT, TOKENIZER, Bundle, ModelIdentity, whole_file
from audiosearch.models.towers import Tower, broken, open_tokenizer

if TYPE_CHECKING:
    import tokenizers

log = logging.getLogger(__name__)

# A collapsed tower (laion/larger_clap_music has one) gives all inputs cosines above 0.999. With
# mini the unlike inputs below have cosines of -0.05 for texts and 0.28 for sounds.
_COLLAPSED = 0.999
UNLIKE_TEXTS = ("a dog barks", "heavy rain on a tin roof")


class Model:
    """The two towers of a bundle. Several threads may use it at once.

    `threads` is the number of its own threads that a tower may use for one item. `providers` are
    those of ONNX Runtime (default: the CPU).
    """

    def __init__(
        self, bundle: Bundle, *, threads: int = 1, providers: Sequence[str] | None = None
    ) -> None:
        self.bundle = bundle
        self.identity: ModelIdentity = bundle.identity
        self._threads = threads
        self._providers = tuple(providers or ("CPUExecutionProvider",))
        self._opening = threading.Lock()
        self._audio: Tower | None = None
        self._text: tuple[tokenizers.Tokenizer, Tower] | None = None

    @property
    def dimension(self) -> int:
        """The number of values of a vector."""
        return self.bundle.dimension

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """Return the unit vectors (n, d) of n texts, float32. The texts are taken as they are (see
        `apply_template`).

        A text of more than the model's `max_tokens` is cut there, with a notice in the log. Raises
        `ModelBroken`, also where the tower cannot distinguish unlike texts.
        """
        if isinstance(texts, str):
            raise TypeError("embed_text takes a sequence of texts, not one text")
        tokenizer, tower = self._text_tower()
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            vector[:] = self._text_vector(tokenizer, tower, text)
        return vectors

    def _text_vector(self, tokenizer: tokenizers.Tokenizer, tower: Tower, text: str) -> np.ndarray:
        encoding = self._tokens(tokenizer, text)
        inputs = {
            "input_ids": np.array([encoding.ids], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask], dtype=np.int64),
        }
        return self._finite(tower.run(inputs, self.dimension)[0])

    def embed_text_together(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of `embed_text`, computed in one run of the tower.

        Texts are padded to the longest. This is faster for several texts; the vectors are equal
        within 1e-6, not to the bit. Where the bundle has `texts_alone`, texts go one by one.
        """
        if len(texts) == 1 or self.bundle.texts_alone:
            return self.embed_text(texts)
        tokenizer, tower = self._text_tower()
        if "attention_mask" not in tower.inputs:
            return self.embed_text(texts)
        encodings = [self._tokens(tokenizer, text) for text in texts]
        longest = max(len(encoding.ids) for encoding in encodings)
        # The padding token does not matter: it is masked, and stands after the others.
        ids = np.zeros((len(texts), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for i, encoding in enumerate(encodings):
            ids[i, : len(encoding.ids)] = encoding.ids
            mask[i, : len(encoding.ids)] = encoding.attention_mask
        rows = tower.run({"input_ids": ids, "attention_mask": mask}, self.dimension)
        return np.stack([self._finite(vector) for vector in rows])

    def _tokens(self, tokenizer: tokenizers.Tokenizer, text: str) -> tokenizers.Encoding:
        # Lone surrogates (bytes of a command line that are not UTF-8) are not text.
        encoding = tokenizer.encode(text.encode("utf-8", "replace").decode())
        if encoding.overflowing:
            log.warning(
                "a text is longer than the %d tokens that %s reads, its end is ignored: %s...",
                self.bundle.max_tokens,
                self.bundle.name,
                " ".join(text[:40].split()),
            )
        return encoding

    def _finite(self, raw: np.ndarray) -> np.ndarray:
        vector = _unit(raw)
        if not np.isfinite(vector).all():
            raise broken(self.bundle.directory / TEXT, "it gives no finite vector of a text")
        return vector

    def embed_features(self, features: np.ndarray) -> np.ndarray:
        """Return the unit vectors (n, d) of pictures (n, frames, mels) of `frontend.log_mel`, both
        float32.

        A row is NaN where the tower gives no finite vector, such as for samples near float32's
        limit.
        """
        tower = self._audio_tower()
        vectors = np.empty((len(features), self.dimension), dtype=np.float32)
        for vector, picture in zip(vectors, features, strict=True):
            inputs = {"input_features": picture[None, None]}
            vector[:] = _unit(tower.run(inputs, self.dimension)[0])
        return vectors

    def embed_audio(self, windows: np.ndarray) -> np.ndarray:
        """Return the unit vectors (n, d) of windows (n, window_samples), both float32, full scale
        at 1.
        """
        from audiosearch.models.frontend import log_mel

        return self.embed_features(log_mel(windows, self.bundle.front_end))

    def check(self) -> None:
        """Raise `ModelBroken` where a tower has collapsed, or gives values that are not finite."""
        self._text_tower()
        vectors = self.embed_audio(unlike_sounds(self.bundle))
        self._check_unlike(vectors, "audio", "sounds")

    def _text_tower(self) -> tuple[tokenizers.Tokenizer, Tower]:
        with self._opening:
            if self._text is None:
                tokens = whole_file(self.bundle, TOKENIZER)
                tokenizer = open_tokenizer(tokens, self.bundle.max_tokens)
                path, inputs = whole_file(self.bundle, TEXT), ("input_ids", "attention_mask")
                tower = Tower(path, inputs, self._threads, self._providers)
                unlike = [self._text_vector(tokenizer, tower, text) for text in UNLIKE_TEXTS]
                self._check_unlike(np.stack(unlike), "text", "texts")
                self._text = tokenizer, tower
            return self._text

    def _audio_tower(self) -> Tower:
        with self._opening:
            if self._audio is None:
                path, inputs = whole_file(self.bundle, AUDIO), ("input_features",)
                self._audio = Tower(path, inputs, self._threads, self._providers)
            return self._audio

    def _check_unlike(self, vectors: np.ndarray, tower: str, what: str) -> None:
        cosine = float(vectors[0] @ vectors[1])
        if not cosine < _COLLAPSED:  # NaN fails the comparison too
            raise ModelBroken(
                f"the model {self.bundle.name} cannot be used: its {tower} tower gives unlike {what} "
                f"one vector (cosine {cosine:.4f})"
            )


def unlike_sounds(bundle: Bundle) -> np.ndarray:
    """Return (2, window_samples) float32: white noise at -20 dBFS, and a tone of 440 Hz."""
    size = bundle.window_samples
    noise = np.random.default_rng(0).normal(0.0, 0.1, size)
    tone = 0.5 * np.sin(2 * np.pi * 440.0 / bundle.front_end.sampling_rate * np.arange(size))
    return np.stack([noise, tone]).astype(np.float32)


def _unit(vector: np.ndarray) -> np.ndarray:
    """Return the vector at unit length, or NaN where it has no direction."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled: np.ndarray = vector / np.linalg.norm(vector)
    return scaled


def apply_template(template: str, text: str) -> str:
    """Return the template with the text in place of its first ``{}``. Both may hold other braces.

    Raises `InvalidQuery` where the template has none.
    """
    if "{}" not in template:
        raise InvalidQuery(f"the template {template!r} has no {{}} for the text to go in")
    return template.replace("{}", text, 1)
