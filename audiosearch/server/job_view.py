"""A job as clients see it: the same as is kept, with types for what its parts hold.

`Progress` and `Summary` are those of `indexer`, which this package does not import when it is
loaded; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from audiosearch.results import Failure, Remark
from audiosearch.server.job_store import State


@dataclass(frozen=True)
class JobProgress:
    """`done` of `total` files (null while they are counted); `seconds` of audio so far."""

    stage: Literal["scan", "index", "cache"]
    done: int
    total: int | None
    failed: int
    seconds: float
    path: str | None


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
    """Counts of files, see `indexer.summary.Summary`; of `ingest`, how many items were described,
    and those that failed.
    """

    added: int
    updated: int
    moved: int
    copied: int
    unchanged: int
    removed: int
    gone: int
    truncated: int
    failures: tuple[Failure, ...]
    known_failures: int
    remarks: tuple[Remark, ...]
    notices: tuple[str, ...]
    passed_over: dict[str, int]
    windows: int
    seconds: float
    elapsed: float
    interrupted: bool
    dry_run: bool
    switched: bool
    described: int = 0
    item_failures: tuple[ItemFailure, ...] = ()


@dataclass(frozen=True)
class JobView:
    """An index run, and how far it is. Times are in UTC."""

    id: str
    paths: tuple[str, ...]
    external_id: str | None
    metadata: dict[str, Any] | None
    options: dict[str, Any]
    items: tuple[dict[str, Any], ...]
    state: State
    progress: JobProgress | None
    summary: JobSummary | None
    error: str | None
    made: str
    finished: str | None
