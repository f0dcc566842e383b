"""The folding of hits: of hits that are copies of one sound, the first one stands for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.reader import CatalogReader
from audiosearch.duplicates.matching import THRESHOLD, Fingerprints, Matcher
from audiosearch.duplicates.proposals import LEAST_COSINE, lengths_allow
from audiosearch.results import Hit
from audiosearch.vectors.codec import from_blobs, unit

# Twice as many hits as asked for are enough where each has one copy; else there is another round.
_MORE = 2


def folded_search(
    reader: CatalogReader,
    fingerprints: Fingerprints,
    search: Callable[[int], Sequence[Hit]],
    k: int,
) -> list[Hit]:
    """Return the first k hits of `search`, whose hits have different contents, without those that
    are copies of a hit before them.

    The paths of the copies that were met are in the `copies` of that hit.
    """
    count = _MORE * k
    while True:
        hits = search(count)
        folded = fold(reader, fingerprints, hits)
        if len(folded) >= k or len(hits) < count:
            return [replace(hit, rank=rank) for rank, hit in enumerate(folded[:k], start=1)]
        count *= _MORE


def fold(reader: CatalogReader, fingerprints: Fingerprints, hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits without those that are copies of a hit before them."""
    contents = _contents(reader, hits)
    if contents is None:
        return list(hits)
    near = np.argwhere(np.triu(contents.near(), 1))
    unreadable = fingerprints.make(
        {contents.ids[place] for pair in near.tolist() for place in pair}
    )
    matcher = Matcher(fingerprints, unreadable, THRESHOLD)
    copies_of: dict[int, list[int]] = {place: [] for place in range(len(hits))}
    for one, two in near.tolist():
        # In the order of the hits: a hit that stands for others is not itself a copy.
        if one not in copies_of or two not in copies_of:
            continue
        lengths = hits[one].duration, hits[two].duration
        cosine = float(contents.cosines[one, two])
        if matcher.match(contents.ids[one], contents.ids[two], cosine, lengths):
            copies_of[one].append(two)
            del copies_of[two]
    return [
        replace(hits[place], copies=_paths(hits[place], [hits[other] for other in others]))
        for place, others in copies_of.items()
    ]


def _paths(hit: Hit, others: Sequence[Hit]) -> tuple[str, ...]:
    return (*hit.copies, *(path for other in others for path in (other.path, *other.copies)))


@dataclass(frozen=True)
class _Contents:
    """The contents of hits: their `ids`, lengths `seconds` (n,) and `cosines` (n, n)."""

    ids: list[int]
    seconds: np.ndarray
    cosines: np.ndarray

    def near(self) -> np.ndarray:
        """Return which pairs (n, n) are worth a comparison."""
        lengths = lengths_allow(self.seconds[:, None], self.seconds[None])
        worth: np.ndarray = lengths & (self.cosines >= LEAST_COSINE)
        return worth


def _contents(reader: CatalogReader, hits: Sequence[Hit]) -> _Contents | None:
    """Return the contents of hits; `None` where the library changed since it was searched."""
    with reader.snapshot() as connection:
        model = reading.active_model(connection)
        by_sound: Mapping[int, int] = reading.contents_of_sounds(connection, [h.id for h in hits])
        if model is None or len(by_sound) < len(hits) or len(hits) < 2:
            return None
        ids = [by_sound[hit.id] for hit in hits]
        blobs = [window_reading.mean_vector(connection, content, model.id) for content in ids]
    known = [blob for blob in blobs if blob is not None]
    if len(known) < len(ids):
        return None
    vectors = unit(from_blobs(known, model.dimension))
    seconds = np.array([hit.duration for hit in hits])
    return _Contents(ids, seconds, vectors @ vectors.T)
