"""Windows: exact, complete, the same however the stream is cut into blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosearch.audio.windows import cut_windows, fit_window


def starts(total: int, length: int, hop: int) -> list[int]:
    """What the docstring says, plainly."""
    if total <= length:
        return [0] if total else []
    regular = list(range(0, total - length + 1, hop))
    return regular if regular[-1] + length == total else [*regular, total - length]


@settings(max_examples=200, deadline=None)
@given(
    total=st.integers(0, 400),
    length=st.integers(1, 60),
    data=st.data(),
)
def test_windows_are_what_they_should_be(total: int, length: int, data: st.DataObject) -> None:
    hop = data.draw(st.integers(1, length))
    samples = np.arange(1, total + 1, dtype=np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=8)))
    blocks = np.split(samples, cuts)
    found = list(cut_windows(blocks, length, hop, rate=10))
    expected = starts(total, length, hop)
    assert [window.index for window in found] == list(range(len(expected)))
    assert [window.start for window in found] == [start / 10 for start in expected]
    for window, start in zip(found, expected, strict=True):
        end = min(start + length, total)
        assert window.end == end / 10
        assert np.array_equal(window.samples[: end - start], samples[start:end])
        assert window.samples.shape == (length,)
    if total:
        heard = np.zeros(total, dtype=bool)
        for start in expected:
            heard[start : start + length] = True
        assert heard.all()


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("repeatpad", [1, 2, 3, 1, 2, 3, 0, 0]),
        ("repeat", [1, 2, 3, 1, 2, 3, 1, 2]),
        ("pad", [1, 2, 3, 0, 0, 0, 0, 0]),
    ],
)
def test_padding(padding: str, expected: list[int]) -> None:
    samples = np.array([1, 2, 3], dtype=np.float32)
    assert fit_window(samples, 8, padding).tolist() == expected
    assert fit_window(np.arange(8), 8, padding).tolist() == list(range(8))


def test_silence_is_below_minus_90_dbfs() -> None:
    level = 10 ** (-90 / 20)
    for factor, silent in ((0.99, True), (1.01, False)):
        samples = np.full(10, -level * factor, dtype=np.float32)
        (window,) = cut_windows([samples], 10, 10, rate=10)
        assert window.silent is silent


def test_hop_that_would_leave_sound_out() -> None:
    with pytest.raises(ValueError, match="leaves sound out"):
        list(cut_windows([np.ones(10, dtype=np.float32)], 4, 5, rate=10))
