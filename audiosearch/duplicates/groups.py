"""Groups of copies out of matching pairs, and the words for how each copy differs from the best.

A sound belongs to a group because it matches the group's best copy itself: a chain of sounds, each
a little like the next, does not become one group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from audiosearch.catalog.records import Sound
from audiosearch.duplicates.comparison import Agreement
from audiosearch.duplicates.matching import Match, seconds
from audiosearch.duplicates.quality import (
    channels,
    depth,
    is_missing,
    kilohertz,
    preference,
    properties,
)
from audiosearch.duplicates.records import By, DuplicateGroup, DuplicateSound

# Coders add and drop less than this at both ends.
_PADDING_SECONDS = 0.15
_LEAST_GAIN = 1.0

# How far the second content agrees with the first, if it does.
Compare = Callable[[int, int], Match | None]


def components(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the sets of contents that are connected by pairs (union-find), each in order."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, two in pairs:
        parent[root(one)] = root(two)
    members: dict[int, list[int]] = {}
    for node in sorted(parent):
        members.setdefault(root(node), []).append(node)
    return list(members.values())


def clusters(
    members: Iterable[int], sounds: Mapping[int, Sequence[Sound]], compare: Compare
) -> list[tuple[int, dict[int, Match]]]:
    """Divide connected contents into (best, its copies with their matches).

    The best content of all takes its copies, the best of the others takes those that are left, and
    so on.
    """
    left = sorted(members, key=lambda content: preference(sounds[content][0]))
    divided = []
    while left:
        best, *others = left
        matches = {other: match for other in others if (match := compare(best, other))}
        divided.append((best, matches))
        left = [other for other in others if other not in matches]
    return divided


def make_group(
    best: int, matches: Mapping[int, Match], sounds: Mapping[int, Sequence[Sound]]
) -> DuplicateGroup | None:
    """Return a group, or `None` for a single sound. Copies with the same content as the best one
    come first, then those that agree most.
    """
    first, *identical = sounds[best]
    rows = [_row(first, "best", 1.0, f"best copy: {properties(first)}")]
    rows += [_row(sound, "content", 1.0, "identical content") for sound in identical]
    for content, match in sorted(
        matches.items(), key=lambda item: (-item[1].score, sounds[item[0]][0].path)
    ):
        by: By = "sound" if match.agreement else "vectors"
        rows += [
            _row(sound, by, match.score, _reason(first, sound, match)) for sound in sounds[content]
        ]
    if len(rows) < 2:
        return None
    return DuplicateGroup(tuple(rows), sum(row.size for row in rows[1:]))


def _row(sound: Sound, by: By, score: float, reason: str) -> DuplicateSound:
    missing = is_missing(sound)
    return DuplicateSound(
        path=sound.path,
        id=sound.id,
        content=sound.content or "",
        by=by,
        score=score,
        reason=reason + (", missing on the disk" if missing else ""),
        duration=seconds(sound),
        format=sound.format or "",
        subtype=sound.subtype,
        sample_rate=sound.sample_rate or 0,
        channels=sound.channels or 0,
        size=sound.size,
        missing=missing,
    )


def _reason(best: Sound, copy: Sound, match: Match) -> str:
    if match.agreement is None:
        # The reason is of the content; whether its file is missing stands in the row.
        return f"nearly the same vectors; not compared: {match.reason}"
    differences = [*_encoding(best, copy), *_level_and_ends(best, copy, match.agreement)]
    return f"same sound: {', '.join(differences)}" if differences else "same sound in other bytes"


def _encoding(best: Sound, copy: Sound) -> list[str]:
    parts = []
    if _coding(best) != _coding(copy):
        parts.append(_coding(copy))
    if best.sample_rate != copy.sample_rate:
        parts.append(kilohertz(copy.sample_rate or 0))
    if depth(copy) and depth(copy) != depth(best):
        parts.append(f"{depth(copy)} bit")
    if best.channels != copy.channels:
        parts.append(channels(copy.channels or 0))
    return parts


def _coding(sound: Sound) -> str:
    # An Ogg file holds either of two.
    return "opus" if sound.subtype == "opus" else sound.format or ""


def _level_and_ends(best: Sound, copy: Sound, agreed: Agreement) -> list[str]:
    parts = []
    if abs(agreed.gain) >= _LEAST_GAIN:
        parts.append(f"{abs(agreed.gain):.0f} dB {'louder' if agreed.gain > 0 else 'quieter'}")
    begin = agreed.offset
    end = begin + seconds(copy) - seconds(best)
    if begin > _PADDING_SECONDS:
        parts.append(f"first {begin:.1f} s cut off")
    elif begin < -_PADDING_SECONDS:
        parts.append(f"{-begin:.1f} s more before it")
    if end < -_PADDING_SECONDS:
        parts.append(f"last {-end:.1f} s cut off")
    elif end > _PADDING_SECONDS:
        parts.append(f"{end:.1f} s more after it")
    return parts
