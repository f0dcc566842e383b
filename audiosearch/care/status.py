"""The status of a library: counts, roots, model, and the state of its vector cache."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection

from audiosearch import paths
from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.dialect import on_postgresql
from audiosearch.catalog.folder_options import FolderRule, rules_of
from audiosearch.catalog.records import Root
from audiosearch.catalog.store import Store
from audiosearch.models.identity import describe_identity
from audiosearch.results import PartOptions, RootStatus, Status
from audiosearch.vectors.cachefile import CACHE, CacheUnusable
from audiosearch.vectors.validity import usable_footer


def library_status(connection: Connection, store: Store) -> Status:
    """Return the status that the connection's transaction and the files beside it show."""
    stored = reading.active_model(connection)
    building = reading.building_model(connection)
    numbers = reading.counts(connection)
    windows = window_reading.count_windows(connection, stored.id) if stored else 0
    kind, cache = "none", "none"
    if stored and on_postgresql(connection):
        from audiosearch.vectors.pgvector_search import indexed_ranges

        kind = "hnsw" if indexed_ranges(connection, stored.id) else "exact"
        cache = "not needed: PostgreSQL searches"
    elif stored:
        try:
            footer = usable_footer(connection, store.directory, stored)
            behind = reading.generation(connection) - footer.generation
            kind = footer.kind
            cache = "up to date" if not behind else f"{behind} transactions behind"
        except CacheUnusable as reason:
            cache = f"not used: {reason}"
    return Status(
        directory=store.name,
        model=describe_identity(stored.identity) if stored else None,
        building=describe_identity(building.identity) if building else None,
        sounds=numbers["sounds"],
        contents=numbers["contents"],
        windows=windows,
        failed=numbers["failed"],
        hours=numbers["seconds"] / 3600,
        roots=tuple(_root(connection, root) for root in reading.all_roots(connection)),
        index_kind=kind,
        cache=cache,
        database_bytes=store.size(),
        cache_bytes=_size(store.directory / CACHE),
        generation=reading.generation(connection),
    )


def _root(connection: Connection, root: Root) -> RootStatus:
    try:
        with os.scandir(root.path) as listing:
            state = "present" if next(listing, None) is not None else "empty"
    except (FileNotFoundError, NotADirectoryError):
        state = "missing"
    except OSError:
        state = "unreadable"
    rules = {rule.below: rule for rule in rules_of(connection, root.id)}
    own = rules.pop(b"", FolderRule())
    return RootStatus(
        root.path,
        root.sounds,
        state in ("present", "empty"),
        state,
        own.exclude,
        bool(own.follow_symlinks),
        tuple(
            PartOptions(
                paths.usable(os.fsencode(root.path), rule.below), rule.exclude, rule.follow_symlinks
            )
            for rule in rules.values()
        ),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
