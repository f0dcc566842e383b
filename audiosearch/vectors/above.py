"""All windows above a score, for counting.

The scores are those of the index, and no vector is read from the database: a flat index rounds as
the database does; an inverted index looks into a part of its lists, and its scores are off by some
thousandths.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from audiosearch.vectors import kinds

# The first look takes so many windows where nobody expects another number. A flat index of 100,000
# windows takes 8 ms for 6,000 of them; `range_search` of FAISS takes 117 ms.
_FIRST = 8_192
# An index is as quick with so many as with fewer.
_LEAST = 512

# An inverted index looks into as many lists as for a filter that passes this part of the windows.
_PART = 0.1


def in_index(
    index: Any,
    kind: str,
    dead: np.ndarray,
    query: np.ndarray,
    least: float,
    few: int,
    expected: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids (int64) and scores of the windows of an index that score at least `least` for
    a unit vector (d,), and of more; best first. There are at least `few`, where it holds so many.

    `dead` are ids (int64, ascending) that do not count.
    """
    import faiss

    faiss.omp_set_num_threads(1)
    selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(dead)) if len(dead) else None
    size = max(few, _FIRST if expected is None else max(expected, _LEAST))
    while True:
        ids, scores = kinds.search(index, kind, query, size, selector, _PART)
        if len(ids) < size or scores[-1] < least:
            return ids, scores
        size *= 4


def merged(
    ids: np.ndarray,
    scores: np.ndarray,
    other_ids: np.ndarray,
    other_scores: np.ndarray,
    least: float,
    few: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return of both those that score at least `least`, and the first `few` in any case; best
    first.
    """
    ids, scores = np.concatenate([ids, other_ids]), np.concatenate([scores, other_scores])
    order = np.lexsort((ids, -scores))
    ids, scores = ids[order], scores[order]
    count = max(few, int(np.searchsorted(-scores, -least, side="right")))
    return ids[:count], scores[:count]
