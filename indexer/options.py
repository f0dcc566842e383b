"""The options of a run of the indexer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Options of one index run.

    `exclude` are shell patterns of names or relative paths to leave out, and `follow_symlinks` says
    whether links are followed: they are set for the folders of the run, which remember them; with
    `None` what is remembered holds. With `prune` it forgets vanished sounds even if they are more than half of
    the library. With `rehash` it compares contents even where size and mtime are unchanged. With
    `retry` it tries failed files again. With `dry_run` it changes nothing, and only reports.
    `model` is the name of the model to build with; the library switches to it at the end. `workers`
    is the number of decoding processes, by default one for each processor. `cluster` is where they
    run: ``auto``, ``HOST:PORT`` or ``local:N`` (see `indexer.cluster.address`), by default on this
    machine. `wait` is the number of
    seconds to wait for another writer; `None` is for ever.
    """

    exclude: tuple[str, ...] | None = None
    follow_symlinks: bool | None = None
    prune: bool = False
    rehash: bool = False
    retry: bool = False
    dry_run: bool = False
    model: str | None = None
    workers: int | None = None
    wait: float | None = 0.0
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.exclude is not None:
            object.__setattr__(self, "exclude", tuple(self.exclude))
        if self.cluster is not None:  # an error before the run reads anything
            from indexer.cluster.address import cluster_address

            cluster_address(self.cluster)
