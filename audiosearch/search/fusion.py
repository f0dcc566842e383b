"""Fusion: one order from the scores of sounds and the scores of words.

A sound's key is its score in standard deviations of the library's sounds for this query, plus
`WORD_WEIGHT` times its word score. So a name moves a sound up, and a rare word moves it more than a
frequent one. No name moves a sound down: where no word matches, the order is that of the scores.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

# The weight was measured from 0.5 to 6 and beside reciprocal rank fusion, over real sounds with
# good, generic and misleading names (`python -m scripts.bench.hybrid`). Good names gain up to 6 and
# beyond; from 4 on, misleading names cost more than a hundredth of nDCG@10.
WORD_WEIGHT = 4.0

# In a library of one sound, or of equal sounds, the scores have no spread to divide by.
_LEAST_SPREAD = 0.01


Scores = TypeVar("Scores", float, np.ndarray)


def fused_key(score: Scores, word_score: Scores, mean: float, spread: float) -> Scores:
    """Return the key (higher is nearer) of a score (cosine) and a word score (0..1), or the keys of
    n of them, in float64.

    `mean` and `spread` are the mean and the standard deviation of the library's scores.
    """
    return (score - mean) / max(spread, _LEAST_SPREAD) + WORD_WEIGHT * word_score
