"""From nearest windows to hits: the best window of each sound, or all its moments; ranks;
percentiles.

Order is by score, then by path, and does not depend on the order in which sounds were indexed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.catalog.records import Sound
from audiosearch.errors import LibraryDamaged
from audiosearch.results import Hit
from audiosearch.vectors.codec import from_blobs
from audiosearch.vectors.search import WindowSearch

# Windows asked for in one round: several belong to one sound, and a second round costs more than a
# wider first.
_WINDOWS_PER_SOUND = 4
_LEAST_WINDOWS = 50

# A percentile needs no more sounds than this (its error is about 1 point); long ones add at most so
# many windows.
SAMPLE_SOUNDS = 1_000
SAMPLE_WINDOWS = 8


# A product of so few rows stays on one thread. Those of BLAS go on spinning when they are done, on
# cores that other searches need: without it, two threads search 1.1 times as fast as one, not 1.9.
_BLOCK = 64

# Sums of 512 products in float32 differ from those in float64 by less.
_TIE = 1e-6


@dataclass(frozen=True)
class Moment:
    """A stretch of a content, `start` to `end` seconds, and the score of its best window."""

    content_id: int
    start: float
    end: float
    score: float


def best_moments(
    connection: Connection,
    search: WindowSearch,
    query: np.ndarray,
    wanted: int,
    allowed: np.ndarray | None,
) -> list[Moment]:
    """The best window of each of the `wanted` nearest contents, and of any that tie with the last
    of them.
    """
    best: dict[int, Moment] = {}
    excluded: np.ndarray | None = None
    round_size = max(_LEAST_WINDOWS, wanted * _WINDOWS_PER_SOUND)
    while True:
        ids, scores = search.nearest(connection, query, round_size, allowed, excluded)
        rows = reading.windows_by_id(connection, ids)
        for window_id, score in zip(ids.tolist(), scores.tolist(), strict=True):
            row = rows[window_id]
            known = best.get(row.content_id)
            # Two windows of one sound with the same score: the earlier one, whatever their ids.
            if known is None or (score == known.score and row.start < known.start):
                best[row.content_id] = Moment(row.content_id, row.start, row.end, score)
        if len(ids) < round_size:
            break
        ordered = sorted((moment.score for moment in best.values()), reverse=True)
        # Whatever was not seen scores at most as high as the last window seen.
        if len(ordered) >= wanted and ordered[wanted - 1] > scores[-1]:
            break
        of_found = reading.windows_of_contents(connection, best, search.model.id)
        excluded = np.array(sorted(row.id for row in of_found), dtype=np.int64)
    return list(best.values())


def all_moments(
    connection: Connection,
    search: WindowSearch,
    query: np.ndarray,
    wanted: int,
    allowed: np.ndarray | None,
    base: float,
) -> list[Moment]:
    """At least `wanted` moments if there are so many; `base` as in `merge`."""
    size = max(_LEAST_WINDOWS, wanted * _WINDOWS_PER_SOUND)
    while True:
        ids, scores = search.nearest(connection, query, size, allowed)
        rows = reading.windows_by_id(connection, ids)
        merged = merge(
            [
                Moment(rows[i].content_id, rows[i].start, rows[i].end, score)
                for i, score in zip(ids.tolist(), scores.tolist(), strict=True)
            ],
            base,
        )
        if len(merged) >= wanted or len(ids) < size:
            return merged
        size *= 4


def merge(windows: Iterable[Moment], base: float) -> list[Moment]:
    """Windows to moments: each peak of the score over time is one, as wide as at half its height.

    A window that touches a better one belongs to its moment if it scores at least midway from
    `base`, what any window scores, to the peak (to both peaks, between two, which then are one);
    else it is a foot of the peak, and no moment. So a bark in a night is one moment, an hour of rain
    is one, and two barks with a pause are two. Moments of one content do not overlap.
    """
    of_content: dict[int, list[Moment]] = {}
    for window in sorted(windows, key=lambda w: (-w.score, w.content_id, w.start)):
        moments = of_content.setdefault(window.content_id, [])
        touched = [m for m in moments if window.start <= m.end and m.start <= window.end]
        if not all(window.score >= (m.score + base) / 2 for m in touched):
            continue
        parts = [*touched, window]
        start, end = min(m.start for m in parts), max(m.end for m in parts)
        moments[:] = [m for m in moments if m not in touched]
        moments.append(Moment(window.content_id, start, end, max(m.score for m in parts)))
    return [moment for moments in of_content.values() for moment in moments]


class Sample:
    """A sample of the library's windows, against which a score's percentile is taken."""

    def __init__(self, connection: Connection, model_id: int, dimension: int) -> None:
        rows = list(reading.sample_windows(connection, model_id, SAMPLE_SOUNDS, SAMPLE_WINDOWS))
        _, self._sound = np.unique(
            np.array([row[0] for row in rows], dtype=np.int64), return_inverse=True
        )
        vectors = from_blobs((row[1] for row in rows), dimension)
        self._count = len(vectors)
        blocks = -(-self._count // _BLOCK)
        # (blocks, _BLOCK, d), filled up with zeros.
        self._blocks = np.zeros((blocks, _BLOCK, dimension), dtype=np.float32)
        self._blocks.reshape(-1, dimension)[: self._count] = vectors

    def _scores(self, query: np.ndarray) -> np.ndarray:
        """(n,) cosines of the sample's windows."""
        found: np.ndarray = (self._blocks @ query).reshape(-1)[: self._count]
        return found

    def percentiles(self, query: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """For each score, the part (0..100) of the sample's sounds whose best window scores lower;
        ties count half.
        """
        if not self._count:
            return np.zeros(len(scores))
        best = np.full(self._sound.max() + 1, -np.inf, dtype=np.float32)
        np.maximum.at(best, self._sound, self._scores(query))
        best.sort()
        below = np.searchsorted(best, scores - _TIE, side="left")
        upto = np.searchsorted(best, scores + _TIE, side="right")
        return 100.0 * (below + upto) / 2 / len(best)

    def median(self, query: np.ndarray) -> float:
        """What the window in the middle of the sample scores."""
        if not self._count:
            return 0.0
        return float(np.median(self._scores(query)))


def leading(moments: Iterable[Moment], k: int) -> list[Moment]:
    """Those that can be among the first k hits: the k best, and any that tie with the last of
    them."""
    ordered = sorted(moments, key=lambda moment: -moment.score)
    return [m for m in ordered if m.score >= ordered[min(k, len(ordered)) - 1].score]


def make_hits(
    moments: Iterable[Moment],
    sounds: dict[int, list[Sound]],
    percentile_of: dict[float, float],
    k: int,
    group: bool,
) -> list[Hit]:
    """The first k hits in order: one for each path, or one for each content with its other paths as
    `copies`.
    """
    found: list[tuple[float, bytes, Moment, Sound, tuple[str, ...]]] = []
    for moment in moments:
        copies = sounds.get(moment.content_id)
        if not copies:
            raise LibraryDamaged("windows that belong to no sound: see audiosearch doctor")
        if group:
            others = tuple(sound.path for sound in copies[1:])
            found.append((-moment.score, _key(copies[0]), moment, copies[0], others))
        else:
            found.extend((-moment.score, _key(sound), moment, sound, ()) for sound in copies)
    found.sort(key=lambda entry: (entry[0], entry[1], entry[2].start))
    return [
        Hit(
            rank=rank,
            score=moment.score,
            percentile=percentile_of[moment.score],
            path=sound.path,
            start=moment.start,
            end=moment.end,
            duration=sound.duration or 0.0,
            id=sound.id,
            content=sound.content or "",
            format=sound.format or "",
            sample_rate=sound.sample_rate or 0,
            channels=sound.channels or 0,
            tags=sound.tags,
            external_id=sound.external_id,
            metadata=sound.metadata,
            copies=others,
        )
        for rank, (_, _, moment, sound, others) in enumerate(found[:k], start=1)
    ]


def _key(sound: Sound) -> bytes:
    return sound.path.encode("utf-8", "surrogateescape")
