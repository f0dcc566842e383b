"""The kinds of FAISS index: one for each size of library. The functions make, extend and search
them.

- ``flat``: float16 scalar quantiser, every vector compared. Exact but for the rounding that storage
  does anyway.
- ``ivf``: inverted lists with an int8 scalar quantiser, some lists compared; candidates are
  re-ranked exactly.

HNSW is not among them: it cannot delete. With 512-d vectors, on one thread and at 1 M windows, a
flat float16 index takes 62 ms, and IVF4096,SQ8 takes 0.85 ms with 32 probes. In a library of 1 M
windows 32 probes give a recall@10 of 0.976, 48 of 0.992 (`scripts.bench.scale`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

# Up to this size a flat search takes less than 30 ms, and less than a full-size text tower.
FLAT_UPTO = 300_000

# k-means needs some 40 points for each list to place its centre; more points change nothing
# measurable.
_TRAINING_POINTS_PER_LIST = 40
_PROBES = 48
_ADD_BATCH = 20_000


def kind_for(count: int) -> str:
    """Return the kind of index for `count` windows."""
    return "flat" if count <= FLAT_UPTO else "ivf"


def lists_for(count: int) -> int:
    """Return the number of inverted lists: 4 sqrt(n) as a power of two.

    FAISS's authors advise 4 to 16 sqrt(n).
    """
    return int(2 ** round(np.log2(4 * np.sqrt(count))))


def training_size(count: int) -> int:
    """Return the number of vectors that train the coarse quantiser of `count` windows."""
    return min(count, lists_for(count) * _TRAINING_POINTS_PER_LIST)


def empty_index(kind: str, dimension: int, count: int) -> Any:
    """Return an index of that kind for about `count` vectors. An ``ivf`` index still needs
    training.
    """
    import faiss

    if kind == "flat":
        storage = faiss.IndexScalarQuantizer(
            dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        return faiss.IndexIDMap(storage)
    quantiser = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFScalarQuantizer(
        quantiser,
        dimension,
        lists_for(count),
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        False,  # no residual: with it a search costs twice as much, and unit vectors gain nothing
    )
    return index


def add(index: Any, rows: Iterable[tuple[np.ndarray, np.ndarray]]) -> int:
    """Add batches of (ids int64 (n,), vectors float32 (n, d)), and return the number of vectors."""
    added = 0
    for ids, vectors in rows:
        index.add_with_ids(vectors, ids)
        added += len(ids)
    return added


def remove(index: Any, ids: np.ndarray) -> int:
    """Remove these ids (int64), and return the number of those that the index held."""
    import faiss

    if not len(ids):
        return 0
    return int(index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, dtype=np.int64))))


def search(
    index: Any, kind: str, query: np.ndarray, k: int, selector: Any, allowed_part: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids (int64) and the scores of the k vectors nearest to a query (d,), best first.

    There are fewer than k where the selector lets fewer through.

    `allowed_part` (0..1) is the part of the index that the selector lets through. For a smaller
    part the search probes more lists, so that a filter does not cost recall.
    """
    [answer] = search_many(index, kind, query[None], k, selector, allowed_part)
    return answer


def search_many(
    index: Any, kind: str, queries: np.ndarray, k: int, selector: Any, allowed_part: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return what `search` returns, for each of n queries (n, d)."""
    import faiss

    k = min(k, index.ntotal)
    if k <= 0:
        return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
    if kind == "flat":
        parameters = faiss.SearchParameters(sel=selector) if selector is not None else None
    else:
        probes = min(index.nlist, int(np.ceil(_PROBES / max(allowed_part, 1e-3))))
        parameters = faiss.SearchParametersIVF(sel=selector, nprobe=probes)
    scores, ids = index.search(np.ascontiguousarray(queries, np.float32), k, params=parameters)
    return [(i[i >= 0], s[i >= 0]) for i, s in zip(ids, scores, strict=True)]
