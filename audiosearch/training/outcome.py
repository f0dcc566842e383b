"""What training changed, on sounds that it never saw: retrieval both ways, before and after.

Intervals are 95 %, by bootstrap over queries; that of the change draws the same queries for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiosearch.evaluation.bootstrap import Interval, mean_interval
from audiosearch.training.embedding import FIGURES, Retrieved


@dataclass(frozen=True)
class Change:
    """One figure before and after, with intervals; `change` is after less before."""

    way: str
    figure: str
    queries: int
    before: float
    before_interval: Interval
    after: float
    after_interval: Interval
    change: float
    change_interval: Interval


def compare(before: Retrieved, after: Retrieved) -> list[Change]:
    """Return a row for each figure and way."""
    rows = []
    for way, old, new in (
        ("text to audio", before.to_audio, after.to_audio),
        ("audio to text", before.to_text, after.to_text),
    ):
        rows += [_change(way, name, old[name], new[name]) for name in FIGURES]
    return rows


def _change(way: str, figure: str, old: np.ndarray, new: np.ndarray) -> Change:
    return Change(
        way,
        figure,
        len(old),
        float(old.mean()),
        mean_interval(old),
        float(new.mean()),
        mean_interval(new),
        float((new - old).mean()),
        mean_interval(new - old),
    )
