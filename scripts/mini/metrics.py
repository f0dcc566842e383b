"""Retrieval figures on a score matrix, and their bootstrap intervals.

`scores` (sounds, texts); `relevant` (sounds, texts) bool.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

FEWEST, MOST = 5, 1 / 16  # sounds of a class of `even_sets`: that many, that part of all


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Of one ranking: the mean, over the relevant places, of the precision down to there."""
    order = np.argsort(-scores, kind="stable")
    found = relevant[order]
    ranks = np.flatnonzero(found) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks)) if len(ranks) else float("nan")


def average_precisions(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """One for each text that has a relevant sound."""
    used = np.flatnonzero(relevant.any(0))
    return np.array([average_precision(scores[:, i], relevant[:, i]) for i in used])


def mean_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Mean over texts that have a relevant sound."""
    return float(average_precisions(scores, relevant).mean())


def accuracy(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Part of the sounds whose nearest text is a right one."""
    return float(relevant[np.arange(len(scores)), scores.argmax(1)].mean())


def recall_at(scores: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Part of the texts with a relevant sound among their first k."""
    used = np.flatnonzero(relevant.any(0))
    top = np.argsort(-scores, axis=0, kind="stable")[:k]
    return float(np.mean([relevant[top[:, i], i].any() for i in used]))


def even_sets(logits: np.ndarray, size: int = 50, draws: int = 100, seed: int = 5) -> np.ndarray:
    """(draws, up to `size`) numbers of classes, drawn at random, of a teacher's `logits` (sounds,
    classes).

    Each is heard (above 0) in five sounds at least, and in one of 16 at most: a class that holds
    others, as music holds guitars, would be right beside theirs.
    """
    count = (logits > 0).sum(0)
    usable = np.flatnonzero((count >= FEWEST) & (count <= len(logits) * MOST))
    rng = np.random.default_rng(seed)
    size = min(size, len(usable) // 2)
    return np.array([rng.choice(usable, size, replace=False) for _ in range(draws)])


def recalls(scores: np.ndarray, logits: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """(classes,) the part of each class's sounds that are named right among the classes of a set, mean
    over the `sets` that have it; nan: in none. The mean over classes counts rare ones as much as
    frequent ones.
    """
    total, times = np.zeros((2, scores.shape[1]))
    for chosen in sets:
        kept = logits[:, chosen].max(1) > 0
        right = logits[kept][:, chosen].argmax(1)
        hit = scores[kept][:, chosen].argmax(1) == right
        heard = np.unique(right)
        total[chosen[heard]] += [hit[right == place].mean() for place in heard]
        times[chosen[heard]] += 1
    return np.divide(total, times, out=np.full(len(total), np.nan), where=times > 0)


def interval(
    figure: Callable[[np.ndarray, np.ndarray], float],
    scores: np.ndarray,
    relevant: np.ndarray,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % interval of `figure` when the sounds are drawn again with replacement."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        rows = rng.integers(0, len(scores), len(scores))
        values.append(figure(scores[rows], relevant[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def mean_interval(values: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean when the values are drawn again: for many texts with few sounds
    each."""
    rng = np.random.default_rng(seed)
    means = rng.choice(values, (draws, len(values))).mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def occurrences(scores: np.ndarray, k: int = 10) -> np.ndarray:
    """(sounds,) how often each is among the first k of the texts."""
    top = np.argsort(-scores, axis=0, kind="stable")[:k]
    return np.bincount(top.ravel(), minlength=len(scores))


def skewness(counts: np.ndarray) -> float:
    """Third standardised moment of the k-occurrences: 0 without hubs, above 2 with strong ones."""
    centred = counts - counts.mean()
    return float((centred**3).mean() / max((centred**2).mean() ** 1.5, 1e-12))
