"""Fusion: one order out of what is heard and what is written.

A sound's key is its score in standard deviations of the library's sounds for this query, plus
`WORD_WEIGHT` times its word score. So a name moves a sound up, by as much as its words are rare,
and never moves down what no name fits: where no word matches, the order is that of the scores.
"""

from __future__ import annotations

# Measured from 0.5 to 6 and beside reciprocal rank fusion, over real sounds with good, generic and
# misleading names (`python -m scripts.bench.hybrid`): good names gain up to 6 and beyond; from 4 on,
# misleading names cost more than a hundredth of nDCG@10.
WORD_WEIGHT = 4.0

# In a library of one sound, or of equal ones, scores have no spread to divide by.
_LEAST_SPREAD = 0.01


def fused_key(score: float, word_score: float, mean: float, spread: float) -> float:
    """Return the key (higher is nearer) of a score (cosine) and a word score (0..1), where the
    scores of the library's sounds have this mean and standard deviation.
    """
    return (score - mean) / max(spread, _LEAST_SPREAD) + WORD_WEIGHT * word_score
