"""Markers: sounds by which a node shows that it sees the same files as the coordinator, at the same
paths and with the same dates.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from audiosearch import paths
from indexer.plan import FileTask
from indexer.scan import stamp

# Of a marker's beginning and of its end, in bytes.
_SAMPLED = 1 << 16
# So many files of a root that went away since the scan are passed over.
_CANDIDATES = 20


@dataclass(frozen=True)
class Marker:
    """A sound as one machine reads it: `digest` is of its beginning and its end."""

    path: bytes
    size: int
    mtime_ns: int
    digest: str

    def to_json(self) -> list[Any]:
        """Return the fields for a message."""
        return [self.path.hex(), self.size, self.mtime_ns, self.digest]

    @classmethod
    def from_json(cls, fields: Sequence[Any]) -> Marker:
        """Return the marker of such fields."""
        return cls(bytes.fromhex(fields[0]), *fields[1:])


def marker(path: bytes) -> Marker:
    """Read a file as a marker. Raises `OSError`."""
    with open(path, "rb") as file:  # noqa: PTH123 (bytes)
        status = os.fstat(file.fileno())
        digest = hashlib.blake2b(file.read(_SAMPLED), digest_size=16)
        file.seek(max(0, status.st_size - _SAMPLED))
        digest.update(file.read(_SAMPLED))
    return Marker(path, status.st_size, stamp(status.st_mtime_ns), digest.hexdigest())


def markers(tasks: Iterable[FileTask]) -> list[Marker]:
    """Return markers for the roots of these files: of each the first and the last that can be read."""
    roots: dict[int, list[bytes]] = {}
    for task in tasks:
        roots.setdefault(task.root_id, []).append(task.path)
    chosen: dict[bytes, Marker] = {}
    for files in roots.values():
        for ends in (files, files[::-1]):
            readable = filter(None, map(_marker_if_any, ends[:_CANDIDATES]))
            chosen.update((each.path, each) for each in itertools.islice(readable, 1))
    return list(chosen.values())


def _marker_if_any(path: bytes) -> Marker | None:
    try:
        return marker(path)
    except OSError:
        return None


def unseen(expected: Iterable[Marker]) -> str | None:
    """Return why this machine does not see the same files as the one that made the markers."""
    remedy = "mount the folder there, at the same path"
    for mark in expected:
        name = paths.shown(mark.path)
        try:
            own = marker(mark.path)
        except OSError as error:
            return f"it cannot read {name} ({error.strerror or error}): {remedy}"
        if (own.size, own.digest) != (mark.size, mark.digest):
            return f"it reads another file at {name}: {remedy}"
        if own.mtime_ns != mark.mtime_ns:
            return f"it sees another date of change of {name}: {remedy}, with the same options"
    return None
