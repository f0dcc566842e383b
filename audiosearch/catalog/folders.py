"""The folders that hold sounds, as a tree that is opened step by step."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, select

from audiosearch import paths
from audiosearch.catalog.schema import roots, sounds


@dataclass(frozen=True)
class Folder:
    """A folder with so many embedded `sounds` below it, at any depth, and so many `folders` just
    below it that hold some. `path` is absolute.
    """

    path: str
    name: str
    sounds: int
    folders: int


def folders_below(connection: Connection, parent: str | None = None) -> list[Folder]:
    """Return the folders just below `parent`, an absolute path, or the library's roots; by name.

    Nothing is below a folder that the library does not hold.
    """
    query = select(roots.c.path, sounds.c.path.label("below")).join_from(sounds, roots)
    query = query.where(sounds.c.content_id.is_not(None))
    counts: Counter[bytes] = Counter()
    within: dict[bytes, set[bytes]] = defaultdict(set)
    above = None if parent is None else os.fsencode(parent).rstrip(b"/") + b"/"
    for root in connection.execute(select(roots.c.id, roots.c.path)).all():
        prefix = root.path.rstrip(b"/") + b"/"
        of_root = query.where(sounds.c.root_id == root.id)
        if above is None:
            base = root.path
        elif prefix.startswith(above):  # the parent lies above this root
            base = above + prefix[len(above) :].partition(b"/")[0] if prefix != above else above
        elif above.startswith(prefix):
            base = above
            inside = paths.stored(above[len(prefix) :])
            of_root = of_root.where(sounds.c.path >= inside, sounds.c.path < inside[:-1] + b"0")
        else:
            continue
        for row in connection.execute(of_root):
            whole = prefix + row.below
            child = base if above is None or base != above else _next(above, whole)
            if child is not None:
                counts[child] += 1
                grandchild = _next(child.rstrip(b"/") + b"/", whole)
                if grandchild is not None:
                    within[child].add(grandchild)
    return sorted(
        (
            Folder(
                paths.usable(path),
                paths.usable(path.rstrip(b"/").rpartition(b"/")[2] or path),
                number,
                len(within[path]),
            )
            for path, number in counts.items()
        ),
        key=lambda folder: (folder.name.casefold(), folder.path),
    )


def _next(above: bytes, path: bytes) -> bytes | None:
    """Return the folder just below `above` on the way to a file; `None` for a file in it."""
    name, slash, _ = path[len(above) :].partition(b"/")
    return above + name if slash else None
