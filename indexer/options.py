"""What a run of the indexer may be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Options of one index run.

    `exclude`: shell patterns of names or relative paths to leave out. `follow_symlinks`: off, links
    are skipped. `prune`: sweep even if more than half the library would go. `rehash`: compare
    contents even where size and mtime are unchanged. `retry`: try failed files again. `dry_run`:
    say what would be done. `model`: build with this one, and switch to it when done. `workers`:
    decoding processes, by default one for each processor. `wait`: seconds to wait for another
    writer; `None` is for ever.
    """

    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False
    prune: bool = False
    rehash: bool = False
    retry: bool = False
    dry_run: bool = False
    model: str | None = None
    workers: int | None = None
    wait: float | None = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "exclude", tuple(self.exclude))
