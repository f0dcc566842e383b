"""`Matcher` decides whether two contents are one sound, and how far they agree."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from audiosearch.audio.fingerprint import Fingerprint
from audiosearch.catalog.records import Sound
from audiosearch.duplicates.comparison import Agreement, Comparable, agreement
from audiosearch.duplicates.proposals import same_length

# Chosen on one half of the sources, measured on the other half (`scripts.bench.duplicates`).
THRESHOLD = 0.7

# A click has few frames to tell by: keys of one keyboard agree by up to 0.87, other clicks by less.
SHORT_SECONDS = 0.25
SHORT_THRESHOLD = 0.9

# Vectors alone confuse takes with copies: where nothing else can be compared, they must be nearly
# equal, and so must the lengths.
VECTORS_ALONE = 0.99

# Frames kept in memory, of some 200 bytes each: 250 MB. A recording of ten hours has 1.8 million.
_KEPT_FRAMES = 1_250_000


class Fingerprints(Protocol):
    """Where fingerprints come from: `indexer.fingerprints.StoredFingerprints`."""

    def read(self, content_ids: Iterable[int]) -> dict[int, Fingerprint]:
        """Return the fingerprints that there are, by content."""

    def make(
        self, content_ids: Iterable[int], on_progress: Callable[[int, int], None] | None = None
    ) -> dict[int, str]:
        """Compute those that are missing. Returns why a content has none."""


@dataclass(frozen=True)
class Match:
    """How far a content agrees with another one. `agreement` is `None` where the vectors alone
    were compared, for the `reason`; `score` is then their cosine.
    """

    score: float
    agreement: Agreement | None
    reason: str = ""


class Matcher:
    """Compares contents by their fingerprints. `unreadable` names those without one, with the
    reasons; `threshold` is the agreement that two copies have at least.
    """

    def __init__(
        self, fingerprints: Fingerprints, unreadable: Mapping[int, str], threshold: float
    ) -> None:
        self._fingerprints = fingerprints
        self._unreadable = unreadable
        self._threshold = threshold
        self._kept: OrderedDict[int, Comparable] = OrderedDict()
        self._frames = 0

    def fetch(self, content_ids: Iterable[int]) -> None:
        """Read the fingerprints that the next comparisons need, at once."""
        new = [i for i in content_ids if i not in self._kept and i not in self._unreadable]
        for content_id, fingerprint in self._fingerprints.read(new).items():
            self._kept[content_id] = Comparable(fingerprint)
            self._frames += len(fingerprint.changes)

    def forget(self) -> None:
        """Drop the fingerprints that were used least recently, down to what memory allows."""
        while self._frames > _KEPT_FRAMES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._frames -= dropped.count

    def match(
        self, one: int, two: int, cosine: float, lengths: tuple[float, float]
    ) -> Match | None:
        """Return how far content `two` agrees with content `one`, or `None` for other sounds."""
        left, right = self._of(one), self._of(two)
        if left is not None and right is not None:
            short = min(lengths) < SHORT_SECONDS
            least = max(self._threshold, SHORT_THRESHOLD) if short else self._threshold
            agreed = agreement(left, right, least)
            return Match(agreed.score, agreed) if agreed.score >= least else None
        if cosine < VECTORS_ALONE or not same_length(*lengths):
            return None
        unread = one if left is None else two
        return Match(cosine, None, self._unreadable.get(unread, "it has no fingerprint"))

    def _of(self, content_id: int) -> Comparable | None:
        if content_id in self._unreadable:
            return None
        if content_id not in self._kept:
            self.fetch([content_id])
        if content_id in self._kept:
            self._kept.move_to_end(content_id)
        return self._kept.get(content_id)


def seconds(sound: Sound) -> float:
    """Return the length of a sound."""
    return sound.duration or 0.0
