"""What was made is kept while it is among the latest, and made once."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from audiosearch.vectors.latest import Latest


def test_the_one_that_waited_longest_goes_first() -> None:
    kept, made = Latest[str](3), Counter[str]()

    def get(key: str) -> str:
        def make() -> str:
            made[key] += 1
            return key.upper()

        return kept.get(key, make)

    assert [get(key) for key in "abcad"] == ["A", "B", "C", "A", "D"]  # b went when d came
    assert [get(key) for key in "acd"] == ["A", "C", "D"]
    assert made == dict.fromkeys("abcd", 1)
    assert get("b") == "B"
    assert made["b"] == 2


def test_an_error_is_passed_on_and_not_kept() -> None:
    kept = Latest[str](3)

    def fail() -> str:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        kept.get("a", fail)
    assert kept.get("a", lambda: "made") == "made"


def test_threads_that_ask_at_once_make_it_once() -> None:
    kept, made = Latest[int](3), Counter[str]()
    together = threading.Barrier(8)

    def make() -> int:
        made["a"] += 1
        return 1

    def ask() -> None:
        together.wait()
        kept.get("a", make)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == {"a": 1}
