"""The pairs of contents that may be one sound, by their mean vectors.

A pair is proposed where one of both is among the nearest neighbours of the other whose lengths allow
it, and their cosine is high enough. Large libraries use inverted lists (`audiosearch.vectors.kinds`)
of some sqrt(n) lists, of which each search reads a fixed number: the work grows little faster than
the library. The pairs are bounded by the number of sounds, however dense the library is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiosearch.catalog.means import Mean
from audiosearch.duplicates.comparison import LEAST_SHARE
from audiosearch.vectors import kinds
from audiosearch.vectors.codec import from_blobs, unit

# A copy with a third of its length cut off has a cosine of 0.86 to 0.93 with the whole, and in a
# tenth of all cases less (`scripts.bench.duplicates`).
LEAST_COSINE = 0.8

# Places of each sound. Of 1,229 lone copies in 15 ways, among 700 recordings, 6 places find as many
# as 16, and 4 miss 3 more. Where a sound has many copies, they take the places, but one copy in the
# group is enough. In a denser library more places find more trims, and cost as much more time.
NEIGHBOURS = 6
# So many neighbours are looked at: a sound of another length takes no place.
_SEARCHED = 32

# Lengths of coded copies differ by the coder's padding.
_LENGTH_SLACK_SECONDS = 0.1

# Up to here every vector is compared with every other (1 s); beyond, lists are.
_EXACT_UPTO = 10_000
# Copies lie close together, mostly in one list.
_PROBES = 8
_BATCH = 1_024


@dataclass(frozen=True)
class Contents:
    """Contents by `ids` (n,) int64 with their mean `vectors` (n, d) float16 and lengths `seconds`
    (n,).
    """

    ids: np.ndarray
    vectors: np.ndarray
    seconds: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """Proposed pairs: `first` and `second` (m,) are places in `Contents`, `first` below `second`;
    `cosines` (m,) float32.
    """

    first: np.ndarray
    second: np.ndarray
    cosines: np.ndarray


def gather(rows: Iterable[Mean], dimension: int) -> Contents:
    """Return contents with their vectors in half precision: 100 MB for 100,000."""
    ids: list[int] = []
    seconds: list[float] = []
    parts = [np.empty((0, dimension), np.float16)]
    blobs: list[bytes] = []

    def flush() -> None:
        parts.append(unit(from_blobs(blobs, dimension)).astype(np.float16))
        blobs.clear()

    for row in rows:
        ids.append(row.content_id)
        seconds.append(row.duration)
        blobs.append(row.vector)
        if len(blobs) == _BATCH:
            flush()
    flush()
    return Contents(np.array(ids, np.int64), np.concatenate(parts), np.array(seconds))


def propose(contents: Contents) -> Pairs:
    """Return the pairs that may be one sound. Those of one neighbourhood follow each other, so that
    whoever walks along them needs few sounds at a time.
    """
    count = len(contents.ids)
    index, place_of = _index(contents.vectors)
    keys = [np.empty(0, np.int64)]
    for begin in range(0, count, _BATCH):
        rows = contents.vectors[begin : begin + _BATCH].astype(np.float32)
        cosines, near = index.search(rows, min(_SEARCHED + 1, count))
        own = np.broadcast_to(np.arange(begin, begin + len(rows))[:, None], near.shape)
        # The lists hold vectors in 8 bits: their cosines are off by less than this.
        valid = (near >= 0) & (near != own) & (cosines >= LEAST_COSINE - 0.02)
        valid &= lengths_allow(contents.seconds[own], contents.seconds[near])
        valid &= np.cumsum(valid, axis=1) <= NEIGHBOURS
        one, two = own[valid], near[valid]
        keys.append(np.minimum(one, two) * count + np.maximum(one, two))
    first, second = np.divmod(np.unique(np.concatenate(keys)), max(1, count))
    cosines = cosines_of(contents.vectors, first, second)
    order = np.flatnonzero(cosines >= LEAST_COSINE)
    order = order[np.argsort(place_of[first[order]], kind="stable")]
    return Pairs(first[order], second[order], cosines[order])


def lengths_allow(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return where the shorter of two sounds is long enough to be a trim of the other."""
    shorter, longer = np.minimum(one, two), np.maximum(one, two)
    allowed: np.ndarray = shorter + _LENGTH_SLACK_SECONDS >= LEAST_SHARE * longer
    return allowed


def same_length(one: float, two: float) -> bool:
    """Return whether two lengths in seconds are those of copies of which nothing was cut off."""
    return abs(one - two) <= max(_LENGTH_SLACK_SECONDS, 0.01 * max(one, two))


def cosines_of(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosines (m,) float32 of these pairs of rows."""
    cosines = np.empty(len(first), np.float32)
    for begin in range(0, len(first), _BATCH):
        part = slice(begin, begin + _BATCH)
        left = vectors[first[part]].astype(np.float32)
        cosines[part] = np.einsum("ij,ij->i", left, vectors[second[part]].astype(np.float32))
    return cosines


def _index(vectors: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return an index over the vectors, and the place (n,) of the list of each of them: lists whose
    places are near have similar vectors.
    """
    import faiss

    count, dimension = vectors.shape
    if count <= _EXACT_UPTO:
        index = faiss.IndexFlatIP(dimension)
        index.add(vectors.astype(np.float32))
        return index, np.zeros(count)
    index = kinds.empty_index("ivf", dimension, count)
    step = max(1, count // kinds.training_size(count))
    index.train(vectors[::step].astype(np.float32))
    lists = []
    for begin in range(0, count, _BATCH):
        rows = vectors[begin : begin + _BATCH].astype(np.float32)
        index.add(rows)
        lists.append(index.quantizer.search(rows, 1)[1])
    index.nprobe = min(_PROBES, index.nlist)
    centres = index.quantizer.reconstruct_n(0, index.nlist)
    _, _, axes = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)
    places: np.ndarray = (centres @ axes[0])[np.concatenate(lists)[:, 0]]
    return index, places
