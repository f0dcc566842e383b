"""A job as clients see it: the same as is kept, with types for what its parts hold.

`Progress` and `Summary` are those of `indexer`, which this package does not import when it is
loaded; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from audiosearch.results import Failure, Remark
from audiosearch.server.types import JobStage, JobState


@dataclass(frozen=True)
class JobProgress:
    """`done` of `total` files (null while they are counted); `seconds` of audio so far."""

    stage: JobStage
    done: int
    total: int | None
    failed: int
    seconds: float
    path: str | None


@dataclass(frozen=True)
class JobOptions:
    """As in `JobRequest`."""

    retry: bool = False
    rehash: bool = False
    prune: bool = False


@dataclass(frozen=True)
class JobItem:
    """As in `IngestItem`."""

    path: str
    external_id: str | None
    metadata: dict[str, Any] | None


@dataclass(frozen=True)
class ItemFailure:
    """The number of an item of `ingest`, from 0 on, and why there is no embedding of it."""

    item: int
    path: str
    external_id: str | None
    kind: str
    reason: str


@dataclass(frozen=True)
class JobSummary:
    """What a job did. The counts are of files, `seconds` of their audio; the job took `elapsed`
    seconds. `truncated` files ended before the length that they declare. `gone` files are not there,
    and are kept for the reason in `notices`. `passed_over`: files that are no sounds, by suffix.
    `described` items of an ingest were given their id and metadata; `item_failures` have no
    embedding.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    copied: int = 0
    unchanged: int = 0
    removed: int = 0
    gone: int = 0
    truncated: int = 0
    failures: tuple[Failure, ...] = ()
    known_failures: int = 0
    remarks: tuple[Remark, ...] = ()
    notices: tuple[str, ...] = ()
    passed_over: dict[str, int] = field(default_factory=dict)
    windows: int = 0
    seconds: float = 0.0
    elapsed: float = 0.0
    interrupted: bool = False
    dry_run: bool = False
    switched: bool = False
    described: int = 0
    item_failures: tuple[ItemFailure, ...] = ()


@dataclass(frozen=True)
class JobStatus:
    """An index run, and how far it is. Times are in UTC."""

    id: str
    paths: tuple[str, ...]
    external_id: str | None
    metadata: dict[str, Any] | None
    options: JobOptions
    items: tuple[JobItem, ...]
    state: JobState
    progress: JobProgress | None
    summary: JobSummary | None
    error: str | None
    made: str
    finished: str | None
