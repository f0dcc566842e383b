"""Setting what a folder of a library leaves out, and whether links are followed in it.

Nothing is forgotten or added at once: the next run over the folder does that, with the safeguards
of every run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from audiosearch import paths
from audiosearch.catalog import migrations
from audiosearch.catalog.folder_options import in_words
from audiosearch.catalog.schema import roots, sounds
from audiosearch.catalog.store import Store
from audiosearch.errors import InvalidQuery, SoundNotFound
from indexer.lock import writing
from indexer.options import Options
from indexer.plan import Scan
from indexer.roots import absolute, inside
from indexer.rules import change_rule, root_rules


@dataclass(frozen=True)
class OptionsSummary:
    """What is (or, in a dry run, would be) set for the folder `path`.

    `leaves_out` counts the stored sounds that the patterns of the root leave out now: the next run
    forgets them. `follow_symlinks` is `None` where the folder around this one decides.
    """

    path: str
    exclude: tuple[str, ...]
    follow_symlinks: bool | None
    leaves_out: int
    dry_run: bool


def set_options(
    store: Store,
    path: str,
    *,
    exclude: Sequence[str] | None = None,
    follow_symlinks: bool | None = None,
    dry_run: bool = False,
    wait: float | None = 0.0,
) -> OptionsSummary:
    """Set what is not `None` for a root, or for a folder inside one.

    Raises `SoundNotFound` where the library has no such folder, `InvalidQuery` for an empty
    pattern, `LibraryBusy`.
    """
    check_patterns(exclude)
    where = absolute(path)
    with writing(store, wait) as engine:
        migrations.migrate(engine, store.name)
        with engine.connect() as connection, connection.begin() as transaction:
            root_id, below = _place(connection, where, store)
            _, rule = change_rule(connection, root_id, below, exclude, follow_symlinks)
            count = _left_out(connection, root_id)
            if dry_run:
                transaction.rollback()
    return OptionsSummary(paths.usable(where), rule.exclude, rule.follow_symlinks, count, dry_run)


def check_patterns(exclude: Sequence[str] | None) -> None:
    """Raise `InvalidQuery` where a pattern is empty, and so matches nothing."""
    if exclude is not None and "" in exclude:
        raise InvalidQuery("a pattern to exclude is empty (is a variable unset?)")


def _place(connection: Connection, where: bytes, store: Store) -> tuple[int, bytes]:
    """The root's id, and the folder relative to it."""
    for root in connection.execute(select(roots).where(roots.c.whole == 1)):
        below = inside(where, root.path)
        there = os.path.isdir(where) or not os.path.isdir(root.path)  # noqa: PTH112 (bytes)
        if below is not None and (there or not below):
            return root.id, below
    raise SoundNotFound(
        f"{paths.shown(where)} is no folder of the library {store.name}: see its folders with: "
        "audiosearch roots; add it with: audiosearch index"
    )


def _left_out(connection: Connection, root_id: int) -> int:
    rules = root_rules(connection, root_id)
    rows = connection.execute(select(sounds.c.path).where(sounds.c.root_id == root_id))
    return sum(rules.leave_out(row.path) for row in rows)


def remember(connection: Connection, scans: Sequence[Scan], options: Options) -> list[str]:
    """Set the options of a run for the folders that it scans. Returns what changed, in words."""
    check_patterns(options.exclude)
    changes = []
    for scan in scans:
        if scan.files is None:
            before, after = change_rule(
                connection, scan.root_id, scan.below, options.exclude, options.follow_symlinks
            )
            if after != before:
                folder = os.path.join(scan.root, scan.below) if scan.below else scan.root  # noqa: PTH118
                changes.append(f"from now on {paths.shown(folder)} {in_words(after)}")
    return changes
