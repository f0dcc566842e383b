"""The outcome of a run. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from audiosearch.results import Failure, Remark


@dataclass
class Summary:
    """The outcome of an index run; the counts are of files.

    `truncated` files ended before the length that their header declares; the run indexed the rest.
    `remarks` list these files, and files whose header is wrong otherwise or that have further
    tracks. `passed_over` counts the files beside the sounds, by suffix (lower case, ``""`` for
    none). `gone` counts files that no longer exist but whose rows were kept; `notices` give the
    reason. `seconds` is the decoded audio. `switched` is true where a new model took over.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    copied: int = 0
    unchanged: int = 0
    removed: int = 0
    gone: int = 0
    truncated: int = 0
    failures: list[Failure] = field(default_factory=list)
    known_failures: int = 0
    remarks: list[Remark] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)
    windows: int = 0
    seconds: float = 0.0
    elapsed: float = 0.0
    interrupted: bool = False
    dry_run: bool = False
    switched: bool = False

    @property
    def failed(self) -> int:
        """The number of files that failed in this run."""
        return len(self.failures)


@dataclass(frozen=True)
class RemovalSummary:
    """The sounds that were (or, in a dry run, would be) forgotten."""

    paths: tuple[str, ...]
    windows: int
    dry_run: bool
