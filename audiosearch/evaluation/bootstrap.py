"""Intervals of means: percentile bootstrap (Efron 1979), 95 %, seeded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Interval = tuple[float, float]

DRAWS = 1_000


def interval(
    count: int, figure: Callable[[np.ndarray], float], draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Return the 2.5th and 97.5th percentiles of `figure` over draws of `count` rows with
    replacement.

    `figure` takes row numbers (count,), and may return NaN for a draw that has no figure.
    """
    if count < 1 or draws < 1:
        raise ValueError(f"there is nothing to draw {draws} times from {count} rows")
    rng = np.random.default_rng(seed)
    values = [figure(rng.integers(0, count, count)) for _ in range(draws)]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def mean_interval(values: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Return the interval of the mean of values (n,)."""
    return interval(len(values), lambda rows: float(values[rows].mean()), draws, seed)


def group_interval(
    groups: np.ndarray,
    figure: Callable[[np.ndarray], float],
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return the interval of `figure` over draws of whole groups.

    `groups` (n,) are group numbers of the rows. Rows of one group are alike: drawn one by one, they
    would make an interval look narrower than it is.
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(numbers))[:-1])
    return interval(
        len(members),
        lambda drawn: figure(np.concatenate([members[group] for group in drawn])),
        draws,
        seed,
    )
