"""What a search for duplicates returns. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# How a sound came into its group: as its best copy, by identical content, by the comparison of the
# sounds themselves, or, where they cannot be read, by their vectors alone.
By = Literal["best", "content", "sound", "vectors"]


@dataclass(frozen=True)
class DuplicateSound:
    """A sound of a group of duplicates, compared with the best copy.

    `score` (0..1) is the agreement of both sounds, 1 for identical content, and the cosine of their
    vectors where `by` is ``vectors``. `reason` says in words why the sound is in the group and how
    it differs, and what makes the best copy the best. `missing` is true where the file is not on
    the disk now.
    """

    path: str
    id: int
    content: str
    by: By
    score: float
    reason: str
    duration: float
    format: str
    subtype: str | None
    sample_rate: int
    channels: int
    size: int
    missing: bool


@dataclass(frozen=True)
class DuplicateGroup:
    """Copies of one sound, the best one first. `bytes` is what the others take on the disk."""

    sounds: tuple[DuplicateSound, ...]
    bytes: int
