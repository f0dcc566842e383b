"""The cache makes nothing twice while it keeps it, and mixes no two states."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from audiosearch.search import state_cache
from audiosearch.search.state_cache import StateCache


class Maker:
    """A maker of values, which counts how often it made each."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()

    def __call__(self, name: str) -> Callable[[], np.ndarray]:
        def make() -> np.ndarray:
            self.made[name] += 1
            return np.array([len(name)])

        return make


def test_other_values_have_a_limit_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_cache, "OTHERS_KEPT", 2)
    cache, maker = StateCache[np.ndarray](), Maker()
    cache.sample(1, "a", maker("sample"))
    for name in ("x", "y", "x", "z", "x", "y"):  # y went when z came
        cache.other(1, "a", name, maker(name))
    cache.other(2, "a", "x", maker("x"))
    assert maker.made == {"sample": 1, "x": 2, "y": 2, "z": 1}


def test_the_sample_before() -> None:
    cache = StateCache[str]()
    assert cache.previous_sample(1, "a") is None
    cache.sample(1, "a", lambda: "first")
    assert cache.previous_sample(2, "a") == "first"
    assert cache.previous_sample(3, "a") == "first"  # nobody asked for a sample of the second
    assert cache.previous_sample(4, "b") is None


@pytest.mark.parametrize(("generation", "digest"), [(2, "a"), (1, "b"), (0, "a")])
def test_another_state_starts_anew(generation: int, digest: str) -> None:
    cache = StateCache[str]()
    assert cache.sample(1, "a", lambda: "old") == "old"
    assert cache.other(1, "a", "x", lambda: 1) == 1
    assert cache.sample(generation, digest, lambda: "new") == "new"
    assert cache.other(generation, digest, "x", lambda: 2) == 2


def test_a_thread_of_an_older_state_leaves_nothing_behind() -> None:
    cache = StateCache[str]()

    def slow() -> str:
        assert cache.sample(2, "a", lambda: "new") == "new"  # another thread is ahead
        return "old"

    assert cache.sample(1, "a", slow) == "old"
    assert cache.sample(2, "a", lambda: "made again") == "new"


def test_an_error_is_passed_on_and_not_kept() -> None:
    cache = StateCache[str]()

    def fail() -> str:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        cache.sample(1, "a", fail)
    assert cache.sample(1, "a", lambda: "made") == "made"


def test_threads_that_ask_at_once_make_it_once() -> None:
    cache, maker = StateCache[np.ndarray](), Maker()
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        cache.sample(1, "a", maker("sample"))
        cache.other(1, "a", "x", maker("x"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert maker.made == {"sample": 1, "x": 1}
