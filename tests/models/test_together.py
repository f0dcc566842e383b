"""Texts of many threads go through the tower together, and each gets its own vector."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from audiosearch.errors import ModelBroken
from audiosearch.models.model import Model
from audiosearch.models.together import Together

TEXTS = [f"a dog barks {'very ' * (number % 9)}loud, {number}" for number in range(60)]


def test_the_same_vectors(mini: Model) -> None:
    alone = mini.embed_text(TEXTS)
    np.testing.assert_allclose(mini.embed_text_together(TEXTS), alone, atol=1e-6)
    np.testing.assert_array_equal(mini.embed_text_together(TEXTS[:1]), alone[:1])
    together = Together(mini.embed_text_together, 16)
    with ThreadPoolExecutor(8) as threads:
        found = np.concatenate(
            list(threads.map(together.embed, np.reshape(TEXTS, (20, 3)).tolist()))
        )
    np.testing.assert_allclose(found, alone, atol=1e-6)


def test_batches_and_errors(mini: Model) -> None:
    sizes: list[int] = []
    entered, go = threading.Event(), threading.Event()

    def slow(texts: list[str]) -> np.ndarray:
        sizes.append(len(texts))
        entered.set()
        go.wait(600)
        if "broken" in texts:
            raise ModelBroken("it is")
        return mini.embed_text_together(texts)

    together = Together(slow, 16)
    with ThreadPoolExecutor(30) as threads:
        first = threads.submit(together.embed, ["first"])
        assert entered.wait(600)
        others = [threads.submit(together.embed, [text]) for text in TEXTS[:20]]
        while len(together._waiting) < 20:
            pass
        go.set()
        assert first.result(600).shape == (1, mini.dimension)
        assert all(other.result(600).shape == (1, mini.dimension) for other in others)
        assert sizes == [1, 16, 4]
        with pytest.raises(ModelBroken):
            together.embed(["broken"])
        assert together.embed(TEXTS[:20]).shape == (20, mini.dimension)
        assert sizes[-2:] == [16, 4]
