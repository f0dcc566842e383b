"""The figures of rankings.

Conventions: `scores` (queries, items), higher is nearer; `relevant` (queries, items) bool, with at
least one item for each query. Ties are broken by the item's place, earlier first. All figures are
in [0, 1], except ranks, which count from 1. In text-to-audio retrieval queries are texts and items
are sounds; audio-to-text retrieval is the transpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def validate(scores: np.ndarray, relevant: np.ndarray) -> None:
    """Raise `ValueError` where the two matrices break the conventions."""
    if scores.ndim != 2 or scores.shape != relevant.shape:
        raise ValueError(f"scores {scores.shape} and relevant {relevant.shape} must be one matrix")
    if relevant.dtype != np.bool_:
        raise ValueError(f"relevant must be bool, not {relevant.dtype}")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    if not relevant.any(axis=1).all():
        raise ValueError("a query without a relevant item has no figure")


def in_order(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return (queries, items) bool: true where the item at that place of the ranking is relevant."""
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(relevant, order, axis=1)


def first_ranks(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return (queries,): the rank of the first relevant item, from 1."""
    ranks: np.ndarray = in_order(scores, relevant).argmax(axis=1) + 1
    return ranks


def recall_at(scores: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Return (queries,): 1.0 where a relevant item is among the first k, else 0.0.

    This is the recall@k of audio captioning benchmarks, where one right answer of five counts.
    """
    return (first_ranks(scores, relevant) <= k).astype(np.float64)


def average_precision(scores: np.ndarray, relevant: np.ndarray, k: int | None = None) -> np.ndarray:
    """Return (queries,): the mean, over the relevant items, of the precision down to each.

    With `k`, only the first k places count, and the mean is over ``min(relevant, k)``, so that a
    perfect ranking has 1.
    """
    hits = in_order(scores, relevant)[:, :k]
    places = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / places
    possible = relevant.sum(axis=1)
    if k is not None:
        possible = np.minimum(possible, k)
    result: np.ndarray = (precision * hits).sum(axis=1) / possible
    return result


@dataclass(frozen=True)
class Retrieval:
    """The means over the queries. `median_rank` is the median rank of the first relevant item."""

    queries: int
    items: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    map_at_10: float
    map: float
    median_rank: float


def evaluate(scores: np.ndarray, relevant: np.ndarray) -> Retrieval:
    """Return all figures of one matrix. Raises `ValueError` for what `validate` refuses."""
    validate(scores, relevant)
    return Retrieval(
        queries=scores.shape[0],
        items=scores.shape[1],
        recall_at_1=float(recall_at(scores, relevant, 1).mean()),
        recall_at_5=float(recall_at(scores, relevant, 5).mean()),
        recall_at_10=float(recall_at(scores, relevant, 10).mean()),
        map_at_10=float(average_precision(scores, relevant, 10).mean()),
        map=float(average_precision(scores, relevant).mean()),
        median_rank=float(np.median(first_ranks(scores, relevant))),
    )
