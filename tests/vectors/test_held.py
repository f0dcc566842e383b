"""Vectors that are held in memory: the scan for several queries."""

from __future__ import annotations

import numpy as np
import pytest

from audiosearch.vectors.held import HeldVectors, leading
from scripts import make_product
from tests.libraries import random_units


@pytest.mark.parametrize("count", [1, 63, 1_025, 3_000])
def test_it_is_the_product(count: int) -> None:
    vectors, queries = random_units(count, 1).astype(np.float16), random_units(7, 2)
    ids = np.arange(count, dtype=np.int64) * 3 + 5
    nearest = HeldVectors(ids, vectors).nearest(queries, 20)
    scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
    expected = np.argsort(-scores, axis=1)[:, :20]
    assert [row.tolist() for row in nearest] == ids[expected].tolist()


@pytest.mark.parametrize("count", [0, 1, 64, 1_000, 1_001])
@pytest.mark.parametrize("k", [1, 5, 2_000])
def test_the_highest_of_equals_are_the_first(count: int, k: int) -> None:
    scores = np.random.default_rng(count).integers(0, 9, count).astype(np.float32)
    expected = sorted(range(count), key=lambda place: (-scores[place], place))[:k]
    assert leading(scores, k).tolist() == expected


def test_the_graph_is_what_its_script_makes() -> None:
    pytest.importorskip("onnx")
    import onnx

    made, shipped = onnx.ModelProto(), onnx.ModelProto()
    made.ParseFromString(make_product.graph())
    shipped.ParseFromString(make_product.PATH.read_bytes())
    assert made.graph == shipped.graph
