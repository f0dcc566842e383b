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

    `shared` is for many threads at once: prompts of queries that wait go through the text tower
    together, and their vectors are within 1e-6 of those of single prompts, not equal to the bit.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._vectors: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._together: tuple[str, Together[str]] | None = None

    def embed(self, model: Model, prompts: Sequence[str], *, together: bool = False) -> np.ndarray:
        """Return the unit vectors (n, d) of n prompts, float32. The prompts are taken as they are.

        `together`: they are those of several queries, and need no others to wait for.
        """
        digest = model.identity.digest
        known: dict[str, np.ndarray] = {}
        with self._lock:
            for prompt in prompts:
                if (digest, prompt) in self._vectors:
                    self._vectors.move_to_end((digest, prompt))
                    known[prompt] = self._vectors[digest, prompt]
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        for first in range(0, len(missing), _TOGETHER):
            part = missing[first : first + _TOGETHER]
            known |= zip(part, self._computed(model, part, together), strict=True)
        with self._lock:
            for prompt in missing:
                # A copy: a row would keep the whole batch.
                kept = known[prompt].copy()
                kept.setflags(write=False)
                self._vectors[digest, prompt] = kept
            while len(self._vectors) > _KEPT:
                self._vectors.popitem(last=False)
        vectors = np.empty((len(prompts), model.dimension), np.float32)
        for vector, prompt in zip(vectors, prompts, strict=True):
            vector[:] = known[prompt]
        return vectors

    def _computed(self, model: Model, prompts: Sequence[str], together: bool) -> np.ndarray:
        if not self._shared:
            return model.embed_text(prompts)
        if together:
            return model.embed_text_together(prompts)
        # One after the other: a query that nobody waits with gets the bits of single prompts.
        queue = self._queue(model)
        return np.concatenate([queue.embed([prompt]) for prompt in prompts])

    def _queue(self, model: Model) -> Together[str]:
        from audiosearch.models.together import Together

        with self._lock:
            if self._together is None or self._together[0] != model.identity.digest:
                queue = Together(model.embed_text_together, _TOGETHER)
                self._together = model.identity.digest, queue
            return self._together[1]
