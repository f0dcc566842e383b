"""The roots of a library: its folders. No root lies inside another.

A folder inside a root stands for that part of the root. A folder around roots becomes a root
itself, and takes over their sounds. What was set for them (`indexer.rules`) stays with their
folders.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from audiosearch import paths
from audiosearch.catalog.dialect import portable
from audiosearch.catalog.schema import roots, sounds
from audiosearch.catalog.words import index_words
from audiosearch.errors import SoundNotFound
from indexer.meta import next_generation
from indexer.plan import Scan
from indexer.rules import hand_over
from indexer.scan import is_sound_name


def absolute(path: str) -> bytes:
    """Return the absolute form of a path that a user typed. Links stay as they are."""
    return os.fsencode(os.path.abspath(paths.user_path(path)))  # noqa: PTH100


def check_sources(sources: Sequence[str], *, files: bool) -> None:
    """Raise `SoundNotFound` where a path does not exist, or is a file and `files` is not set."""
    for source in sources:
        where = absolute(source)
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


def plan_scans(connection: Connection, sources: Sequence[str]) -> list[Scan]:
    """Return the parts of roots to scan for these paths, or every root without a path.

    The function makes and merges roots.
    """
    if not sources:
        return _all_scans(connection)
    scans: dict[tuple[int, bytes], Scan] = {}
    single: dict[int, list[bytes]] = {}
    for source in sources:
        where = absolute(source)
        if os.path.isdir(where):  # noqa: PTH112 (bytes)
            root_id, root, below = _root_for(connection, where, whole=True)
            scans[root_id, below] = Scan(root_id, root, below)
        else:
            folder, name = os.path.split(where)
            root_id, root, below = _root_for(connection, folder, whole=False)
            single.setdefault(root_id, []).append(below + b"/" + name if below else name)
    for root_id, files in single.items():
        once = tuple(dict.fromkeys(files))
        scans[root_id, b"\0"] = Scan(root_id, _path(connection, root_id), files=once)
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
    """Return `path` relative to `folder`, or `None` where it is not inside."""
    if path == folder:
        return b""
    prefix = folder.rstrip(b"/") + b"/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def _is_same(folder: bytes, root: bytes, below: bytes) -> bool:
    """Return whether `folder` and the folder `below` the root are the same."""
    try:
        return os.path.samefile(folder, os.path.join(root, below))  # noqa: PTH118, PTH121 (bytes)
    except OSError:
        return False


def _root_for(connection: Connection, folder: bytes, *, whole: bool) -> tuple[int, bytes, bytes]:
    """Return the id and the path of the root that holds a folder, and the folder relative to it."""
    rows = connection.execute(select(roots)).all()
    for root in rows:
        below = inside(folder, root.path)
        if below is not None and (root.whole or not whole):
            return root.id, root.path, below
    for root in rows:  # the same folder by another name, which links gave it
        below = inside(os.path.realpath(folder), os.path.realpath(root.path))
        if below is not None and (root.whole or not whole) and _is_same(folder, root.path, below):
            return root.id, root.path, below
    merging = [root for root in rows if inside(root.path, folder) is not None]
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
                portable(
                    "UPDATE sounds SET root_id = :new, path = CAST(:prefix || path AS BLOB) "
                    "WHERE root_id = :old",
                    "UPDATE sounds SET root_id = :new, path = :prefix || path WHERE root_id = :old",
                ),
                {"new": new_id, "prefix": prefix + b"/", "old": root.id},
            )
            hand_over(connection, root.id, new_id, prefix)
            connection.execute(delete(roots).where(roots.c.id == root.id))
    if any(root is not same for root in merging):  # the folders above are words too now
        ids = connection.execute(select(sounds.c.id).where(sounds.c.root_id == new_id)).scalars()
        index_words(connection, list(ids))
        next_generation(connection)  # what searches remember of names holds no more
    return new_id, folder, b""
