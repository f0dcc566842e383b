"""Re-pointing a root whose folder was moved or renamed: no file is read, nothing is embedded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from audiosearch import paths
from audiosearch.catalog import migrations, reading
from audiosearch.catalog.dialect import on_postgresql
from audiosearch.catalog.folded_paths import fold_roots
from audiosearch.catalog.schema import roots, sounds
from audiosearch.catalog.store import Store
from audiosearch.catalog.words import index_words
from audiosearch.errors import SoundNotFound
from indexer.cache import renew_cache
from indexer.deletion import delete_sounds
from indexer.lock import writing
from indexer.meta import next_generation
from indexer.roots import absolute, inside
from indexer.rules import hand_over


@dataclass(frozen=True)
class MoveSummary:
    """A root that was (or, in a dry run, would be) re-pointed from `old` to `new`: `moved` sounds
    are there now, `merged` were in the library under the new path already."""

    old: str
    new: str
    moved: int
    merged: int
    dry_run: bool


def move_root(
    store: Store, old: str, new: str, *, dry_run: bool = False, wait: float | None = 0.0
) -> MoveSummary:
    """Let the root `old` be the folder `new` from now on; what was set on its sounds stays.

    Where `new` was indexed already, the two become one: of a sound that is in both, the row of
    `new` stays, and takes over what was set on the other. Raises `SoundNotFound` where `old` is no
    root or `new` no folder.
    """
    source, target = absolute(old), absolute(new)
    with writing(store, wait) as engine:
        migrations.migrate(engine, store.name)
        with engine.connect() as connection, connection.begin() as transaction:
            root = _root(connection, source, store)
            if not os.path.isdir(target):  # noqa: PTH112 (bytes)
                raise SoundNotFound(
                    f"there is no folder {paths.shown(target)} to move {paths.shown(source)} to"
                )
            _check_there(connection, root, target)
            next_generation(connection)
            moved, merged = _move(connection, root, target)
            if dry_run:
                transaction.rollback()
        if merged and not dry_run:
            with engine.connect() as connection:
                model = reading.active_model(connection)
            if model:
                renew_cache(store.directory, engine, model)
    return MoveSummary(paths.usable(source), paths.usable(target), moved, merged, dry_run)


def _root(connection: Connection, path: bytes, store: Store) -> Row[Any]:
    root = connection.execute(select(roots).where(roots.c.path == path)).first()
    if root is None:
        raise SoundNotFound(
            f"{paths.shown(path)} is no folder of the library {store.name}: "
            "see its folders with: audiosearch roots"
        )
    return root


# So many files are looked for before a folder is called another one.
_LOOKED_FOR = 1_000


def _check_there(connection: Connection, root: Row[Any], target: bytes) -> None:
    """Raises `SoundNotFound` where no sound of the root is in the folder."""
    query = select(sounds.c.path).where(sounds.c.root_id == root.id).limit(_LOOKED_FOR)
    names = [row.path for row in connection.execute(query)]
    if names and not any(os.path.lexists(os.path.join(target, name)) for name in names):  # noqa: PTH118
        raise SoundNotFound(
            f"{paths.shown(target)} holds none of the sounds of {paths.shown(root.path)}: "
            "nothing was moved"
        )


def _move(connection: Connection, root: Row[Any], target: bytes) -> tuple[int, int]:
    """How many sounds were moved, and how many of them merged."""
    others = connection.execute(select(roots).where(roots.c.id != root.id)).all()
    holder = next((each for each in others if inside(target, each.path) is not None), None)
    if holder is not None:
        below = inside(target, holder.path)
        assert below is not None
        moved, merged = _take_in(connection, root.id, holder.id, below)
        if not below and root.whole:
            connection.execute(update(roots).where(roots.c.id == holder.id).values(whole=1))
        return moved, merged
    connection.execute(update(roots).where(roots.c.id == root.id).values(path=target))
    if on_postgresql(connection):
        fold_roots(connection)
    ids = [
        row.id for row in connection.execute(select(sounds.c.id).where(sounds.c.root_id == root.id))
    ]
    merged = 0
    for each in others:
        below = inside(each.path, target)
        if below:
            # The other one is nearer to what is on the disk: its rows stay.
            merged += _take_in(connection, each.id, root.id, below, arriving_stays=True)[1]
    return len(ids), merged


def _take_in(
    connection: Connection, source: int, target: int, below: bytes, *, arriving_stays: bool = False
) -> tuple[int, int]:
    """Give the sounds of the root `source` to `target`, in its folder `below`; then it is gone."""
    prefix = below + b"/" if below else b""
    here = _rows(connection, target)
    going, changed = [], []
    arriving = _rows(connection, source)
    for path, row in arriving.items():
        twin = here.get(prefix + path)
        if twin is not None:
            leaves, stays = (twin, row) if arriving_stays else (row, twin)
            going.append(leaves.id)
            _inherit(connection, stays, leaves)
    delete_sounds(connection, going)
    for path, row in arriving.items():
        if row.id not in going:
            values = {"root_id": target, "path": prefix + path}
            connection.execute(update(sounds).where(sounds.c.id == row.id).values(values))
            changed.append(row.id)
    index_words(connection, [*changed, *(row.id for row in here.values())])
    hand_over(connection, source, target, below)
    connection.execute(delete(roots).where(roots.c.id == source))
    return len(arriving), len(going)


def _rows(connection: Connection, root_id: int) -> dict[bytes, Any]:
    query = select(sounds.c.id, sounds.c.path, sounds.c.external_id, sounds.c.metadata)
    return {row.path: row for row in connection.execute(query.where(sounds.c.root_id == root_id))}


def _inherit(
    connection: Connection,
    stays: Row[Any],
    leaves: Row[Any],
) -> None:
    """What was set on the row that leaves, where the one that stays has nothing."""
    values = {}
    if stays.external_id is None and leaves.external_id is not None:
        values["external_id"] = leaves.external_id
    if stays.metadata == "{}" != leaves.metadata:
        values["metadata"] = leaves.metadata
    if values:
        connection.execute(update(sounds).where(sounds.c.id == stays.id).values(values))
