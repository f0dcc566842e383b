"""The search for duplicates in a whole library: vectors propose, fingerprints decide, groups form.

The first run decodes the proposed sounds once; the catalog keeps their fingerprints. The order of
the groups, and of the sounds in them, depends on the library's contents alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from audiosearch.catalog import reading
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.fingerprints import copied_contents
from audiosearch.catalog.means import means
from audiosearch.catalog.reader import CatalogReader
from audiosearch.catalog.records import Sound
from audiosearch.duplicates.groups import clusters, components, make_group
from audiosearch.duplicates.matching import Fingerprints, Match, Matcher
from audiosearch.duplicates.proposals import Contents, Pairs, cosines_of, gather, propose
from audiosearch.duplicates.quality import preference
from audiosearch.duplicates.records import DuplicateGroup
from audiosearch.errors import InvalidQuery

# Pairs compared between two reports of progress, and two looks at the memory.
_PAIRS_AT_ONCE = 2_000


@dataclass(frozen=True)
class DuplicateProgress:
    """A search for duplicates at one moment: `done` of `total` in its current `stage`.

    ``propose`` has no count; ``decode`` counts sounds, ``compare`` pairs.
    """

    stage: str
    done: int
    total: int


OnProgress = Callable[[DuplicateProgress], None]


def check_threshold(threshold: float) -> None:
    """Raise `InvalidQuery` for a threshold that is no agreement."""
    if not 0 < threshold <= 1:
        raise InvalidQuery(f"the threshold must be above 0 and at most 1, not {threshold:g}")


def find_duplicates(
    reader: CatalogReader,
    fingerprints: Fingerprints,
    condition: Filter,
    threshold: float,
    on_progress: OnProgress | None = None,
) -> list[DuplicateGroup]:
    """Return the groups of duplicates among the sounds that meet the condition, by the path of
    their best copies.
    """
    check_threshold(threshold)
    report = on_progress or (lambda progress: None)
    report(DuplicateProgress("propose", 0, 0))
    with reader.snapshot() as connection:
        model = reading.active_model(connection)
        if model is None:
            return []
        contents = gather(means(connection, model.id, condition), model.dimension)
        copied = copied_contents(connection, condition)
    pairs = propose(contents)
    proposed = contents.ids[np.unique(np.concatenate([pairs.first, pairs.second]))].tolist()

    unreadable = fingerprints.make(
        proposed, lambda done, total: report(DuplicateProgress("decode", done, total))
    )
    matcher = Matcher(fingerprints, unreadable, threshold)
    comparisons = _Comparisons(contents, matcher)
    comparisons.compare(pairs, report)
    with reader.snapshot() as connection:
        groups = list(
            _groups(
                comparisons,
                copied,
                lambda ids: reading.sounds_of_contents(connection, ids, condition),
            )
        )
    return sorted(groups, key=lambda group: group.sounds[0].path.encode("utf-8", "surrogateescape"))


class _Comparisons:
    """The comparisons of contents, by their ids; each pair is compared once."""

    def __init__(self, contents: Contents, matcher: Matcher) -> None:
        self._contents = contents
        self._matcher = matcher
        self._place = {content: place for place, content in enumerate(contents.ids.tolist())}
        self.matches: dict[tuple[int, int], Match] = {}

    def compare(self, pairs: Pairs, report: OnProgress) -> None:
        """Compare the proposed pairs, and keep those that match."""
        ids, total = self._contents.ids, len(pairs.first)
        for begin in range(0, total, _PAIRS_AT_ONCE):
            part = slice(begin, begin + _PAIRS_AT_ONCE)
            first, second = ids[pairs.first[part]].tolist(), ids[pairs.second[part]].tolist()
            self._matcher.fetch({*first, *second})
            for one, two, cosine in zip(first, second, pairs.cosines[part].tolist(), strict=True):
                match = self._matcher.match(one, two, cosine, self._lengths(one, two))
                if match:
                    self.matches[one, two] = match
            self._matcher.forget()
            report(DuplicateProgress("compare", min(begin + _PAIRS_AT_ONCE, total), total))

    def best_with(self, best: int, other: int) -> Match | None:
        """Return how far `other` agrees with `best`, also where vectors did not propose the pair."""
        one, two = self._place[best], self._place[other]
        cosine = cosines_of(self._contents.vectors, np.array([one]), np.array([two]))
        return self._matcher.match(best, other, float(cosine[0]), self._lengths(best, other))

    def _lengths(self, one: int, two: int) -> tuple[float, float]:
        seconds = self._contents.seconds
        return float(seconds[self._place[one]]), float(seconds[self._place[two]])


def _groups(
    comparisons: _Comparisons,
    copied: Sequence[int],
    sounds_of: Callable[[Sequence[int]], dict[int, list[Sound]]],
) -> Iterable[DuplicateGroup]:
    connected = components(comparisons.matches)
    involved = {content for members in connected for content in members}
    sounds = sounds_of(sorted(involved | set(copied)))
    for copies in sounds.values():
        copies.sort(key=preference)
    # Contents that were removed meanwhile have no sounds.
    present = [[content for content in members if content in sounds] for members in connected]
    alone = [[content] for content in copied if content in sounds and content not in involved]
    for members in [*present, *alone]:
        for best, matches in clusters(members, sounds, comparisons.best_with):
            group = make_group(best, matches, sounds)
            if group:
                yield group
