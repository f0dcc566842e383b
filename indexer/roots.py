"""Roots: the folders of a library, none inside another.

Naming a folder inside a root scans that part of it; naming one around roots makes it the root and
takes theirs in.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, text, update

from audiosearch import paths
from audiosearch.catalog.schema import roots, sounds
from audiosearch.catalog.words import index_words
from audiosearch.errors import SoundNotFound
from indexer.plan import Scan
from indexer.scan import is_sound_name


def absolute(path: str) -> bytes:
    """The absolute form of a path that a user gave; links are kept as they are."""
    return os.fsencode(os.path.abspath(paths.given(path)))  # noqa: PTH100


def check_named(named: Sequence[str], *, files: bool) -> None:
    """Raises `SoundNotFound` where one of the paths is not there, or is a file and `files` is not
    allowed.
    """
    for path in named:
        where = absolute(path)
        shown = paths.shown(where)
        if os.path.isdir(where):  # noqa: PTH112 (bytes)
            continue
        if not os.path.lexists(where):
            raise SoundNotFound(f"there is no folder {shown}")
        if not files:
            folder = paths.shown(os.path.dirname(where))  # noqa: PTH120 (bytes)
            raise SoundNotFound(f"{shown} is a file, not a folder: index its folder {folder}")
        if not is_sound_name(where):
            raise SoundNotFound(f"{shown} is not a sound: its name has no suffix of one")


def plan_scans(connection: Connection, named: Sequence[str]) -> list[Scan]:
    """The parts of roots to scan for the paths named; for none, every root. Makes and merges
    roots.
    """
    if not named:
        return _all_scans(connection)
    scans: dict[tuple[int, bytes], Scan] = {}
    single: dict[int, list[bytes]] = {}
    for path in named:
        where = absolute(path)
        if os.path.isdir(where):  # noqa: PTH112 (bytes)
            root_id, root, below = _root_for(connection, where, whole=True)
            scans[root_id, below] = Scan(root_id, root, below)
        else:
            folder, name = os.path.split(where)
            root_id, root, below = _root_for(connection, folder, whole=False)
            single.setdefault(root_id, []).append(below + b"/" + name if below else name)
    for root_id, files in single.items():
        scans[root_id, b"\0"] = Scan(root_id, _path(connection, root_id), files=tuple(files))
    return list(scans.values())


def _path(connection: Connection, root_id: int) -> bytes:
    path: bytes = connection.execute(select(roots.c.path).where(roots.c.id == root_id)).scalar_one()
    return path


def _all_scans(connection: Connection) -> list[Scan]:
    scans = []
    for root in connection.execute(select(roots).order_by(roots.c.path)).all():
        files = None
        if not root.whole:
            rows = connection.execute(select(sounds.c.path).where(sounds.c.root_id == root.id))
            files = tuple(row.path for row in rows)
        scans.append(Scan(root.id, root.path, files=files))
    return scans


def inside(path: bytes, folder: bytes) -> bytes | None:
    """`path` relative to `folder`; `None` where it is not inside."""
    if path == folder:
        return b""
    prefix = folder.rstrip(b"/") + b"/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def _is_same(folder: bytes, root: bytes, below: bytes) -> bool:
    """Whether `folder` is what lies `below` the root."""
    try:
        return os.path.samefile(folder, os.path.join(root, below))  # noqa: PTH118, PTH121 (bytes)
    except OSError:
        return False


def _root_for(connection: Connection, folder: bytes, *, whole: bool) -> tuple[int, bytes, bytes]:
    """The root that holds a folder: its id, its path, and the folder relative to it."""
    known = connection.execute(select(roots)).all()
    for root in known:
        below = inside(folder, root.path)
        if below is not None and (root.whole or not whole):
            return root.id, root.path, below
    for root in known:  # the same folder by another name, which links gave it
        below = inside(os.path.realpath(folder), os.path.realpath(root.path))
        if below is not None and (root.whole or not whole) and _is_same(folder, root.path, below):
            return root.id, root.path, below
    merging = [root for root in known if inside(root.path, folder) is not None]
    if not whole:
        merging = []
    same = next((root for root in merging if root.path == folder), None)
    if same is not None:
        connection.execute(update(roots).where(roots.c.id == same.id).values(whole=1))
        new_id = same.id
    else:
        new_id = connection.execute(
            insert(roots).values(path=folder, whole=int(whole)).returning(roots.c.id)
        ).scalar_one()
    for root in merging:
        if root is not same:
            prefix = inside(root.path, folder)
            assert prefix
            connection.execute(
                text(
                    "UPDATE sounds SET root_id = :new, path = CAST(:prefix || path AS BLOB) "
                    "WHERE root_id = :old"
                ),
                {"new": new_id, "prefix": prefix + b"/", "old": root.id},
            )
            connection.execute(delete(roots).where(roots.c.id == root.id))
    if any(root is not same for root in merging):  # the folders above are words too now
        rows = connection.execute(select(sounds.c.id).where(sounds.c.root_id == new_id))
        index_words(connection, [row.id for row in rows])
    return new_id, folder, b""
