"""`TextVectors` computes the vectors of prompts, and remembers the latest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from audiosearch.models.model import Model
    from audiosearch.models.together import Together

# At most this many texts go through the text tower together: more gain nothing, and the first waits
# for the last.
_TOGETHER = 16

# The cache remembers the vectors of this many texts, 2 KB each: people open the next page, and
# repeat queries.
_KEPT = 1_000


class TextVectors:
    """The vectors of prompts, by the digest of the model that made them. It is thread-safe.

    `shared` is for many threads at once: waiting prompts go through the text tower together, and
    their vectors are within 1e-6 of those of single prompts, not equal to the bit.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._vectors: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._together: tuple[str, Together[str]] | None = None

    def embed(self, model: Model, prompts: Sequence[str]) -> np.ndarray:
        """Return the unit vectors (n, d) of n prompts, float32. The prompts are taken as they are."""
        vectors = np.empty((len(prompts), model.dimension), np.float32)
        for vector, prompt in zip(vectors, prompts, strict=True):
            vector[:] = self._vector(model, prompt)
        return vectors

    def _vector(self, model: Model, prompt: str) -> np.ndarray:
        key = (model.identity.digest, prompt)
        with self._lock:
            if key in self._vectors:
                self._vectors.move_to_end(key)
                return self._vectors[key]
        vector = self._computed(model, prompt)
        vector.setflags(write=False)
        with self._lock:
            self._vectors[key] = vector
            if len(self._vectors) > _KEPT:
                self._vectors.popitem(last=False)
        return vector

    def _computed(self, model: Model, prompt: str) -> np.ndarray:
        embed = self._queue(model).embed if self._shared else model.embed_text
        vector: np.ndarray = embed([prompt])[0]
        return vector

    def _queue(self, model: Model) -> Together[str]:
        from audiosearch.models.together import Together

        with self._lock:
            if self._together is None or self._together[0] != model.identity.digest:
                queue = Together(model.embed_text_together, _TOGETHER)
                self._together = model.identity.digest, queue
            return self._together[1]
