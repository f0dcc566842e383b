"""What searches and reports return. Times are in seconds from the start of the file; scores are
cosines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Hit:
    """A sound that answers a query, and where in it.

    `score` is the cosine of query and window (-1..1; not a probability). `percentile` (0..100) is
    the part of a sample of the library that scores lower for this query. `path` is absolute;
    `start` to `end` is the matching window, `end` <= `duration`. `content` is the file's hash;
    `copies` are the other paths with the same content, where hits were grouped. `why` says what
    brought the hit here: ``sound`` where its sound alone would have, ``words: FIELD`` for each
    field that holds a word of the query.
    """

    rank: int
    score: float
    percentile: float
    path: str
    start: float
    end: float
    duration: float
    id: int
    content: str
    format: str
    sample_rate: int
    channels: int
    tags: dict[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    copies: tuple[str, ...] = ()
    why: tuple[str, ...] = ("sound",)


@dataclass(frozen=True)
class Remark:
    """What is odd about a file that was indexed: header and content disagree, there are more
    tracks."""

    path: str
    text: str


@dataclass(frozen=True)
class Label:
    """How well a label fits a sound.

    `score` is the cosine of label and sound; for several labels at once, of label and the window
    that fits best, `start` to `end`. `probability` is the softmax of the scores over the labels
    given, at the model's temperature: a share among these labels and no more; `None` where labels
    do not exclude each other.
    """

    label: str
    score: float
    probability: float | None
    start: float
    end: float


@dataclass(frozen=True)
class Classification:
    """The labels of one file, best first, and the exact texts that were compared."""

    path: str
    labels: tuple[Label, ...]
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Facets:
    """How many sounds have each value. `duration` is in bands of seconds: ``0-1``, ``1-5``, ...
    ``600-``, the upper end not included."""

    format: dict[str, int]
    duration: dict[str, int]
    rate: dict[int, int]
    channels: dict[int, int]
    root: dict[str, int]
    metadata: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A file of the library that has no embedding, and why."""

    path: str
    kind: str
    reason: str


@dataclass(frozen=True)
class RootStatus:
    """A folder of the library; `present` is whether it can be reached now."""

    path: str
    sounds: int
    present: bool


@dataclass(frozen=True)
class Status:
    """The state of a library. `hours` counts every sound, copies too; sizes are in bytes."""

    directory: str
    model: str | None
    building: str | None
    sounds: int
    contents: int
    windows: int
    failed: int
    hours: float
    roots: tuple[RootStatus, ...]
    index_kind: str
    cache: str
    database_bytes: int
    cache_bytes: int
    generation: int
