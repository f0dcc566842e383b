"""The folders that are watched: where they lie in the library, and what became of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from audiosearch.catalog.schema import roots, sounds
from indexer.plan import Scan
from indexer.roots import absolute, inside
from indexer.rules import Rules, root_rules
from indexer.scan import is_sound_name
from indexer.watching.mounts import inside_of, is_silent

# A root that the library does not have yet.
NO_ROOT = -1


@dataclass(frozen=True)
class Place:
    """A watched folder: the root that holds it, the folder `below` that root, the root's rules.

    `files`: of a root that holds single files, those alone.
    """

    path: bytes
    root_id: int
    root: bytes
    below: bytes = b""
    rules: Rules = field(default_factory=Rules)
    files: tuple[bytes, ...] | None = None


@dataclass(frozen=True)
class Disk:
    """What a folder is on now: its identity (`None`: it is not there), the mounts below it, and
    whether changes may go unreported there.
    """

    identity: tuple[int, int] | None
    mounted: frozenset[bytes]
    silent: bool


def places(connection: Connection, sources: Sequence[str]) -> list[Place]:
    """Return the watched folders: these, or every root without any."""
    known = connection.execute(select(roots).order_by(roots.c.path)).all()
    rules = {root.id: root_rules(connection, root.id) for root in known}
    if sources:
        return [_place(absolute(source), known, rules) for source in sources]
    watched = []
    for root in known:
        files = None
        if not root.whole:
            rows = connection.execute(select(sounds.c.path).where(sounds.c.root_id == root.id))
            files = tuple(row.path for row in rows)
        watched.append(Place(root.path, root.id, root.path, b"", rules[root.id], files))
    return watched


def _place(where: bytes, known: Sequence[object], rules: Mapping[int, Rules]) -> Place:
    for root in known:
        below = inside(where, root.path)  # type: ignore[attr-defined]
        if below is not None and root.whole:  # type: ignore[attr-defined]
            root_id = root.id  # type: ignore[attr-defined]
            return Place(where, root_id, root.path, below, rules[root_id])  # type: ignore[attr-defined]
    return Place(where, NO_ROOT, where)


def disk(folder: bytes, known: Mapping[bytes, str]) -> Disk:
    """Return what a folder is on now. `known` are the mounts."""
    real = os.path.realpath(folder)
    try:
        status = os.stat(real)  # noqa: PTH116 (bytes)
    except OSError:
        return Disk(None, inside_of(real, known), is_silent(real, known))
    identity = (status.st_dev, status.st_ino)
    return Disk(identity, inside_of(real, known), is_silent(real, known))


def unit_of(place: Place, hint: bytes) -> tuple[bytes, bool] | None:
    """Return the part of the root that a hint is about: a folder, and whether with all below it.

    `None` where no sound can be meant.
    """
    relative = inside(hint, place.root)
    if not relative or not place.rules.meet(place.root, relative):
        return None
    if os.path.isdir(hint):  # noqa: PTH112 (bytes)
        return relative, True
    if is_sound_name(hint):
        return relative.rpartition(b"/")[0], False
    return None if os.path.lexists(hint) else (relative, True)  # it may have been a folder


def scans_of(place: Place, units: Mapping[bytes, bool]) -> list[Scan]:
    """Return the parts to look at, without those that lie in others."""
    if place.files is not None:
        return [Scan(place.root_id, place.root, files=place.files)]
    deep = [below for below, all_of_it in units.items() if all_of_it]
    if any(_leads_elsewhere(place.root, below) for below in units):
        deep.append(place.below)  # what two ways lead to counts once: only a whole walk knows
    covered = {
        below
        for below in units
        if any(inside_relative(below, outer) for outer in deep if outer != below)
    }
    top = [b""] if b"" in deep else [below for below in dict.fromkeys(deep) if below not in covered]
    scans = [Scan(place.root_id, place.root, below) for below in top]
    shallow = [b for b, all_of_it in units.items() if not all_of_it and b not in {*top, *covered}]
    if top != [b""]:
        scans += [Scan(place.root_id, place.root, below, deep=False) for below in shallow]
    return scans


def inside_relative(path: bytes, folder: bytes) -> bool:
    """Whether a relative path lies below a relative folder, or is it."""
    return not folder or path == folder or path.startswith(folder + b"/")


def _leads_elsewhere(root: bytes, below: bytes) -> bool:
    """Whether a folder is reached by a link inside the root."""
    if not below:
        return False
    real = os.path.join(os.path.realpath(root), below)  # noqa: PTH118 (bytes)
    return os.path.realpath(real) != real
