"""Which files of a root count: the rules that were set for it and for folders inside it.

Paths are bytes relative to the root. A pattern is matched against the name and against the path
relative to the folder that it was set for. The patterns of an outer folder hold inside as well; on
links the innermost folder that says something decides.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from audiosearch.catalog.folder_options import FolderRule, rules_of, set_rules


def relative_to(path: bytes, folder: bytes) -> bytes | None:
    """Return a relative path as seen from `folder` (``b""`` is the root), or `None` outside it."""
    if not folder or path == folder:
        return path if not folder else b""
    return path[len(folder) + 1 :] if path.startswith(folder + b"/") else None


def is_excluded(path: bytes, patterns: Sequence[str]) -> bool:
    """Whether the relative path, or its last part, matches one of the patterns."""
    if not patterns:
        return False
    shown = os.fsdecode(path)
    name = shown.rpartition("/")[2]
    return any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(shown, p) for p in patterns)


@dataclass(frozen=True)
class Rules:
    """The rules of one root; none by default."""

    folders: tuple[FolderRule, ...] = ()

    def exclude(self, path: bytes) -> bool:
        """Whether a file or folder is left out, apart from what lies above it."""
        return any(
            bool(inside) and is_excluded(inside, rule.exclude)
            for rule in self.folders
            if (inside := relative_to(path, rule.below)) is not None
        )

    def leave_out(self, path: bytes) -> bool:
        """Whether a file or folder is left out, or a folder above it."""
        return bool(self.folders) and any(self.exclude(part) for part in _parts(path))

    def meet(self, root: bytes, path: bytes) -> bool:
        """Whether a walk of the folder `root` would meet the file: nothing on its way is hidden, left
        out, or a link that is not followed.
        """
        return not any(
            part.rpartition(b"/")[2].startswith(b".")
            or self.exclude(part)
            or (not self.follow(part) and os.path.islink(os.path.join(root, part)))  # noqa: PTH114, PTH118
            for part in _parts(path)
        )

    def follow(self, path: bytes) -> bool:
        """Whether the link at `path` is followed."""
        says = [
            rule
            for rule in self.folders
            if rule.follow_symlinks is not None and relative_to(path, rule.below) is not None
        ]
        return bool(says) and bool(max(says, key=lambda rule: len(rule.below)).follow_symlinks)


def _parts(path: bytes) -> Iterator[bytes]:
    """The path's folders from the outermost on, and the path itself."""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)
    if path:
        yield path


def root_rules(connection: Connection, root_id: int) -> Rules:
    """Return the rules of a root."""
    return Rules(tuple(rules_of(connection, root_id)))


def change_rule(
    connection: Connection,
    root_id: int,
    below: bytes,
    exclude: Sequence[str] | None,
    follow_symlinks: bool | None,
) -> tuple[FolderRule, FolderRule]:
    """Set what is not `None` for a folder. Returns the rule as it was and as it is."""
    rules = {rule.below: rule for rule in rules_of(connection, root_id)}
    before = after = rules.get(below, FolderRule(below))
    if exclude is not None:
        after = replace(after, exclude=tuple(dict.fromkeys(exclude)))
    if follow_symlinks is not None:
        after = replace(after, follow_symlinks=follow_symlinks)
    if after != before:
        set_rules(connection, root_id, [*(rules | {below: after}).values()])
    return before, after


def hand_over(connection: Connection, source: int, target: int, below: bytes) -> None:
    """Give the rules of the root `source` to the folder `below` the root `target`.

    What is set there already stays.
    """
    prefix = below + b"/" if below else b""
    arriving = {}
    for rule in rules_of(connection, source):
        place = (prefix + rule.below).rstrip(b"/")
        arriving[place] = replace(rule, below=place)
    if arriving:
        there = {rule.below: rule for rule in rules_of(connection, target)}
        set_rules(connection, target, [*(arriving | there).values()])
