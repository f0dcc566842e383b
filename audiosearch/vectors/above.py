"""All windows above a score, for counting.

The scores are those of the index, and no vector is read from the database: a flat index rounds as
the database does; an inverted index looks into a part of its lists, and its scores are off by some
thousandths.
"""

from __future__ import annotations

import numpy as np

from audiosearch.vectors import kinds
from audiosearch.vectors.window_search import WindowSearch

# The first look takes so many windows. A flat index of 100,000 windows takes 8 ms for 6,000 of
# them; `range_search` of FAISS takes 117 ms.
_FIRST = 8_192

# An inverted index looks into as many lists as for a filter that passes this part of the windows.
_PART = 0.1


def windows_above(
    search: WindowSearch, query: np.ndarray, least: float, few: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids (int64) and scores of the windows that score at least `least` for a unit
    vector (d,), and of the first `few` windows in any case; best first.
    """
    import faiss

    faiss.omp_set_num_threads(1)
    dead = search.dead
    selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(dead)) if len(dead) else None
    size = max(_FIRST, few)
    while True:
        ids, scores = kinds.search(
            search.base.index, search.base.kind, query, size, selector, _PART
        )
        if len(ids) < size or scores[-1] < least:
            break
        size *= 4
    ids = np.concatenate([ids, search.tail_ids])
    scores = np.concatenate([scores, search.tail @ query])
    order = np.lexsort((ids, -scores))
    ids, scores = ids[order], scores[order]
    count = max(few, int(np.searchsorted(-scores, -least, side="right")))
    return ids[:count], scores[:count]
