"""The cache file is either whole or not used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiosearch.vectors import kinds
from audiosearch.vectors.cachefile import (
    CACHE,
    CacheFooter,
    CacheUnusable,
    read_cache,
    read_footer,
    write_cache,
)
from tests.libraries import random_units

pytestmark = pytest.mark.sqlite("it is about FAISS")


@pytest.fixture
def written(tmp_path: Path) -> CacheFooter:
    index = kinds.empty_index("flat", 512, 5)
    kinds.add(index, [(np.arange(1, 6), random_units(5, 0))])
    return write_cache(tmp_path, index, CacheFooter("id", "model", "flat", 512, 5, 5, 3, 0))


def test_round_trip(tmp_path: Path, written: CacheFooter) -> None:
    assert read_footer(tmp_path) == written
    index = read_cache(tmp_path, written)
    ids, scores = kinds.search(index, "flat", random_units(5, 0)[2], 2, None, 1.0)
    assert ids[0] == 3
    assert scores[0] == pytest.approx(1, abs=1e-3)
    assert not list(tmp_path.glob("*.tmp"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 1 << 20), flip=st.integers(1, 255))
def test_any_byte_flipped(tmp_path: Path, written: CacheFooter, place: int, flip: int) -> None:
    path = tmp_path / CACHE
    whole = path.read_bytes()
    data = bytearray(whole)
    data[place % len(data)] ^= flip
    path.write_bytes(data)
    try:
        footer = read_footer(tmp_path)
        if footer == written:
            with pytest.raises(CacheUnusable):
                read_cache(tmp_path, footer)
        # Else the footer is another, well-formed one, and fails the comparison with the library.
    except CacheUnusable:
        pass
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.999])
def test_cut_short(tmp_path: Path, written: CacheFooter, keep: float) -> None:
    data = (tmp_path / CACHE).read_bytes()
    (tmp_path / CACHE).write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(CacheUnusable):
        read_footer(tmp_path)


def test_none_yet(tmp_path: Path) -> None:
    with pytest.raises(CacheUnusable, match="none yet"):
        read_footer(tmp_path)
