"""The results of searches and reports. Times are in seconds from the start of the file; scores are
cosines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Hit:
    """A sound that answers a query, and the stretch of it that does.

    `score` is the cosine of query and window (-1..1; not a probability). `percentile` (0..100) is
    the percentage of a sample of the library that scores lower for this query. `path` is absolute;
    `start` to `end` is the matching window, `end` <= `duration`. `content` is the file's hash;
    `copies` are the other paths with the same content, where hits are grouped. `why` lists the
    reasons for the hit: ``sound`` where the sound alone is near enough, and ``words: FIELD`` for
    each field that holds a word of the query. `loudness` (LUFS) and `peak` (dBFS) are as in `Sound`.
    `weak` hits stand out no more than the best hits of made-up words do, and no word fits; it is
    known of queries of plain texts, in libraries of 50 sounds or more.
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
    loudness: float | None = None
    peak: float | None = None
    weak: bool = False


@dataclass(frozen=True)
class Suggestion:
    """A short query that a library answers well: its best sound by `id`, and that sound's score."""

    text: str
    score: float
    id: int


@dataclass(frozen=True)
class Remark:
    """An oddity of an indexed file: its header and its content disagree, or it has more tracks."""

    path: str
    text: str


@dataclass(frozen=True)
class Label:
    """A label and how well it fits a sound.

    `score` is the cosine of the label and the sound's mean vector; with `multi`, of the label and
    the window that fits best. `start` to `end` is that window. `probability` is the softmax of the
    scores over these labels, at the model's temperature: a share among these labels and no more. It
    is `None` with `multi`.
    """

    label: str
    score: float
    probability: float | None
    start: float
    end: float


@dataclass(frozen=True)
class Classification:
    """The labels of one file, best first, and the prompts: the exact texts that the model compared."""

    path: str
    labels: tuple[Label, ...]
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Facets:
    """The number of sounds with each value; the most frequent value comes first.

    `sounds` is the number of sounds that pass all filters. The counts of a property leave its own
    filter out. With a query, only its hits count; `min_score` is the cosine from which a sound is
    one.

    `duration` counts bands of seconds: ``0-1``, ``1-5``, ... ``600-``. A band does not include its
    upper end. `folder` counts the folders just below each root, and below each folder that the
    filter `root` names, at any depth. `category` and `keywords` are embedded tags. `since` counts
    the files modified in the last day (``1d``), week (``7d``) and so on. `folder` and `since` hold
    values of the filters `root` and `since`, `suffix` those of `format`.
    """

    format: dict[str, int]
    duration: dict[str, int]
    rate: dict[int, int]
    channels: dict[int, int]
    root: dict[str, int]
    metadata: dict[str, dict[str, int]] = field(default_factory=dict)
    sounds: int = 0
    min_score: float | None = None
    suffix: dict[str, int] = field(default_factory=dict)
    folder: dict[str, int] = field(default_factory=dict)
    category: dict[str, int] = field(default_factory=dict)
    keywords: dict[str, int] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A file of the library that has no embedding, and why."""

    path: str
    kind: str
    reason: str


@dataclass(frozen=True)
class PartOptions:
    """What is set for a folder inside a root. Its patterns are added to those of the folders around
    it. `follow_symlinks` is `None` where the folder around it decides.
    """

    path: str
    exclude: tuple[str, ...]
    follow_symlinks: bool | None


@dataclass(frozen=True)
class RootStatus:
    """A folder of the library.

    `present` is true where it can be reached now. `state` is ``present``, ``missing``, ``empty``
    (such as an unmounted disk) or ``unreadable``. `exclude` and `follow_symlinks` are what every run
    of the indexer keeps to; `parts` are folders inside that have something set of their own.
    """

    path: str
    sounds: int
    present: bool
    state: str = "present"
    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False
    parts: tuple[PartOptions, ...] = ()


@dataclass(frozen=True)
class Status:
    """The state of a library. `hours` counts every sound, also copies; sizes are in bytes."""

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
