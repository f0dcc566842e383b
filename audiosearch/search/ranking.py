"""The ranking: it turns the nearest windows into hits, by the best window of each sound or by all
its moments, and adds ranks and percentiles.

The order is by score, then by path. It does not depend on the order in which sounds were indexed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import window_reading
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.records import Sound, WindowRow
from audiosearch.errors import LibraryDamaged
from audiosearch.results import Hit
from audiosearch.vectors.window_index import CACHE_AHEAD, WindowSearch

# One round reads this many windows for each sound: several windows belong to one sound, and a
# second round costs more than a wider first one.
_WINDOWS_PER_SOUND = 4
_LEAST_WINDOWS = 50


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
    count: int,
    where: Filter | None,
) -> list[Moment]:
    """Return the best window of each of the `count` nearest contents.

    Contents that tie with the last of them count too. `query` is a unit vector (d,); `where` is the
    filter, or None for all.
    """
    best: dict[int, Moment] = {}
    seen: Sequence[int] = ()
    round_size = max(_LEAST_WINDOWS, count * _WINDOWS_PER_SOUND)
    while True:
        ids, scores = search.nearest(connection, query, round_size, where, seen)
        for part in _parts(scores, 2 * count):
            keep_best(connection, best, ids[part], scores[part])
            ordered = sorted((moment.score for moment in best.values()), reverse=True)
            # A window beyond the last one read scores at most as high as it.
            if len(ordered) >= count and ordered[count - 1] > scores[part][-1]:
                return list(best.values())
        if len(ids) < round_size:
            return list(best.values())
        seen = list(best)


def _parts(scores: np.ndarray, first: int) -> list[slice]:
    """Return the first windows, whose rows often suffice, with those that tie with the last of them,
    and the others.
    """
    if 0 < first < len(scores):
        first = int(np.searchsorted(-scores, -scores[first - 1], side="right"))
        return [slice(first), slice(first, None)] if first < len(scores) else [slice(None)]
    return [slice(None)] if len(scores) else []


def keep_best(
    connection: Connection, best: dict[int, Moment], ids: np.ndarray, scores: np.ndarray
) -> None:
    """Keep in `best`, by content, the best of these windows (n,) with their scores (n,), which
    descend.
    """
    rows = _rows_of(connection, ids)
    for window_id, score in zip(ids.tolist(), scores.tolist(), strict=True):
        row = rows[window_id]
        previous = best.get(row.content_id)
        # Of two windows of one sound with the same score the earlier one counts, whatever their
        # ids.
        if previous is None or (score == previous.score and row.start < previous.start):
            best[row.content_id] = Moment(row.content_id, row.start, row.end, score)


def all_moments(
    connection: Connection,
    search: WindowSearch,
    query: np.ndarray,
    count: int,
    where: Filter | None,
    base: float,
) -> list[Moment]:
    """Return `count` moments or more, if the library has so many. `base` is as in `merge`."""
    size = max(_LEAST_WINDOWS, count * _WINDOWS_PER_SOUND)
    while True:
        ids, scores = search.nearest(connection, query, size, where)
        rows = _rows_of(connection, ids)
        merged = merge(
            [
                Moment(rows[i].content_id, rows[i].start, rows[i].end, score)
                for i, score in zip(ids.tolist(), scores.tolist(), strict=True)
            ],
            base,
        )
        if len(merged) >= count or len(ids) < size:
            return merged
        size *= 4


def merge(windows: Iterable[Moment], base: float) -> list[Moment]:
    """Merge windows into moments: each peak of the score over time is one moment, as wide as at
    half its height.

    `base` is the score of an average window. A window that touches a better moment joins it if it
    scores at least midway from `base` to the peak. A window between two peaks joins them into one
    if that holds for both. Any other touching window is the foot of a peak, and is dropped. So one
    bark in a night is one moment, an hour of rain is one moment, and two barks with a pause are
    two. Moments of one content do not overlap.
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


def leading(moments: Iterable[Moment], k: int) -> list[Moment]:
    """Return the moments that can be among the first k hits: the k best, and all that tie with the
    last.
    """
    ordered = sorted(moments, key=lambda moment: -moment.score)
    return [m for m in ordered if m.score >= ordered[min(k, len(ordered)) - 1].score]


def _rows_of(connection: Connection, ids: np.ndarray) -> dict[int, WindowRow]:
    rows = window_reading.windows_by_id(connection, ids)
    if len(rows) < len(ids):
        raise LibraryDamaged(CACHE_AHEAD)
    return rows


@dataclass(frozen=True)
class Place:
    """The place of a sound's moment: a higher `key` is nearer the top. `why` and `weak` are as in
    `Hit`.
    """

    key: float
    why: tuple[str, ...] = ("sound",)
    weak: bool = False


def make_hits(
    moments: Iterable[Moment],
    sounds: dict[int, list[Sound]],
    percentile_of: dict[float, float],
    k: int,
    group: bool,
    place: Callable[[Moment, Sound], Place] = lambda moment, sound: Place(moment.score),
) -> list[Hit]:
    """Return the first k hits in order.

    Without `group` each path is a hit; with it each content is a hit, with its other paths as
    `copies`. `place` decides the order, by default by score; copies that are there come before
    those that are not (as after a folder was renamed); ties go by path. `percentile_of` maps each
    score to its percentile.
    """
    entries: list[tuple[Place, tuple[bool, bytes], Moment, Sound, tuple[str, ...]]] = []
    for moment in moments:
        copies = sounds.get(moment.content_id)
        if not copies:
            raise LibraryDamaged("windows that belong to no sound: see audiosearch doctor")
        several = len(copies) > 1  # else there is nothing to choose, and no disk is asked
        placed = [(place(moment, sound), _key(sound, several), moment, sound) for sound in copies]
        if group:
            placed.sort(key=lambda entry: (-entry[0].key, entry[1]))
            others = tuple(sound.path for _, _, _, sound in placed[1:])
            entries.append((*placed[0], others))
        else:
            entries.extend((*entry, ()) for entry in placed)
    entries.sort(key=lambda entry: (-entry[0].key, entry[1], entry[2].start))
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
            why=place_.why,
            loudness=sound.loudness,
            peak=sound.peak,
            weak=place_.weak,
            ucs=sound.ucs,
        )
        for rank, (place_, _, moment, sound, others) in enumerate(entries[:k], start=1)
    ]


def _key(sound: Sound, check: bool) -> tuple[bool, bytes]:
    gone = check and not os.path.lexists(sound.path)
    return gone, sound.path.encode("utf-8", "surrogateescape")
