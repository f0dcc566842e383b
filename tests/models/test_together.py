"""Texts of many threads go through the tower together, and each gets its own vector."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from audiosearch.errors import ModelBroken
from audiosearch.models.model import Model
from audiosearch.models.together import TextsTogether

TEXTS = [f"a dog barks {'very ' * (number % 9)}loud, {number}" for number in range(60)]


def test_the_same_vectors(mini: Model) -> None:
    alone = mini.embed_text(TEXTS)
    np.testing.assert_allclose(mini.embed_text_together(TEXTS), alone, atol=1e-6)
    np.testing.assert_array_equal(mini.embed_text_together(TEXTS[:1]), alone[:1])
    together = TextsTogether(mini)
    with ThreadPoolExecutor(8) as threads:
        found = np.stack(list(threads.map(together.embed, TEXTS)))
    np.testing.assert_allclose(found, alone, atol=1e-6)


def test_batches_and_errors(mini: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    entered, go = threading.Event(), threading.Event()
    whole = Model.embed_text_together

    def slow(model: Model, texts: list[str]) -> np.ndarray:
        sizes.append(len(texts))
        entered.set()
        go.wait(20)
        if "broken" in texts:
            raise ModelBroken("it is")
        return whole(model, texts)

    monkeypatch.setattr(Model, "embed_text_together", slow)
    together = TextsTogether(mini)
    with ThreadPoolExecutor(30) as threads:
        first = threads.submit(together.embed, "first")
        assert entered.wait(20)
        others = [threads.submit(together.embed, text) for text in TEXTS[:20]]
        while len(together._waiting) < 20:
            pass
        go.set()
        assert first.result(20).shape == (mini.dimension,)
        assert all(other.result(20).shape == (mini.dimension,) for other in others)
        assert sizes == [1, 16, 4]
        with pytest.raises(ModelBroken):
            together.embed("broken")
        assert together.embed("well again").shape == (mini.dimension,)
