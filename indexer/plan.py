"""What a run has to do: the folders as they are now against the catalog as it is.

Unchanged is a file with the same size and mtime whose content the model has embedded, or that
failed for a reason of its own. What is gone is listed only where it can be known to be gone: under
folders that are there, not empty, and could be read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, func, select

from audiosearch import paths
from audiosearch.catalog.dialect import CHUNK, position
from audiosearch.catalog.schema import embeddings, failures, sounds
from indexer.options import Options
from indexer.rules import Rules, root_rules
from indexer.scan import Found, Walk, stamp

# These depend on the moment, not on the file: they are tried again at every run.
_PASSING = frozenset({"unreadable", "changed", "hung"})


@dataclass(frozen=True)
class FileTask:
    """A file to read: its absolute path, and where it belongs.

    `sound_id` is the row that it has already. `size` and `mtime_ns` are as the scan saw them.
    """

    path: bytes
    root_id: int
    relative: bytes
    size: int
    mtime_ns: int
    sound_id: int | None


@dataclass(frozen=True)
class Scan:
    """A part of a root to compare: everything below `below` (`b""`: all of it), or only the `files`
    (relative). Without `deep`, only the files that lie in that folder itself. `as_walked`: of the
    `files`, only those that a walk of the root would meet.
    """

    root_id: int
    root: bytes
    below: bytes = b""
    files: tuple[bytes, ...] | None = None
    deep: bool = True
    as_walked: bool = False


@dataclass
class Plan:
    """Tasks to do, the files found unchanged (`kept`: their rows), and the rows whose files are
    gone (`gone`: their absolute paths, by row). `passed_over` counts the files that are no sounds,
    by suffix.
    """

    tasks: list[FileTask] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    known_failures: int = 0
    missing: set[int] = field(default_factory=set)
    gone: dict[int, bytes] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    files: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Stored:
    id: int
    size: int
    mtime_ns: int
    failure: str | None
    embedded: bool


def _stored(connection: Connection, scan: Scan, model_id: int | None) -> dict[bytes, _Stored]:
    """The catalog's rows in the scanned part, by relative path."""
    query = (
        select(
            sounds.c.id,
            sounds.c.path,
            sounds.c.size,
            sounds.c.mtime_ns,
            failures.c.kind,
            embeddings.c.content_id,
        )
        .select_from(
            sounds.outerjoin(failures).outerjoin(
                embeddings,
                and_(
                    embeddings.c.content_id == sounds.c.content_id,
                    embeddings.c.model_id == model_id,
                ),
            )
        )
        .where(sounds.c.root_id == scan.root_id)
    )
    if scan.files is not None:  # a few files must not cost what their root holds
        parts = [scan.files[i : i + CHUNK] for i in range(0, len(scan.files), CHUNK)]
        queries = [query.where(sounds.c.path.in_(part)) for part in parts]
    elif scan.below:
        inside, beyond = scan.below + b"/", scan.below + b"0"  # "0" is what follows "/"
        queries = [query.where(sounds.c.path >= inside, sounds.c.path < beyond)]
    else:
        queries = [query]
    if not scan.deep:
        prefix = scan.below + b"/" if scan.below else b""
        # Of bytes, both count bytes.
        rest = func.substr(sounds.c.path, len(prefix) + 1)
        queries = [each.where(position(b"/", rest) == 0) for each in queries]
    return {
        row.path: _Stored(row.id, row.size, row.mtime_ns, row.kind, row.content_id is not None)
        for each in queries
        for row in connection.execute(each)
    }


def _unchanged(file: Found, row: _Stored, options: Options) -> bool:
    if options.rehash or (file.size, file.mtime_ns) != (row.size, row.mtime_ns):
        return False
    if row.failure is not None:
        return not options.retry and row.failure not in _PASSING
    return row.embedded


def _left_out(what: str, scan: Scan) -> str:
    root = paths.shown(scan.root)
    return f"{what} is left out by a pattern that was set for {root}: see audiosearch roots"


def _named_files(
    scan: Scan, rules: Rules, notices: list[str], unreadable: list[tuple[bytes, str]]
) -> Iterator[Found]:
    for relative in scan.files or ():
        if scan.as_walked:
            if not rules.meet(scan.root, relative):
                continue
        elif rules.leave_out(relative):
            notices.append(_left_out(paths.shown(relative), scan))
            continue
        try:
            status = os.stat(os.path.join(scan.root, relative))  # noqa: PTH116, PTH118 (bytes)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            unreadable.append((relative, error.strerror or str(error)))
            continue
        yield Found(relative, status.st_size, stamp(status.st_mtime_ns))


def compare(
    connection: Connection,
    scans: list[Scan],
    model_id: int | None,
    options: Options,
    on_file: Callable[[int], None],
) -> Plan:
    """Compare folders with the catalog. `on_file` gets the number of files seen so far."""
    plan = Plan()
    # A folder and what is below it may both be named.
    seen: set[tuple[int, bytes]] = set()
    for scan in scans:
        rows = _stored(connection, scan, model_id)
        if not os.path.isdir(scan.root):  # noqa: PTH112 (bytes)
            plan.notices.append(_not_there(scan.root, len(rows)))
            continue
        where = paths.shown(os.path.join(scan.root, scan.below).rstrip(b"/"))  # noqa: PTH118
        rules = root_rules(connection, scan.root_id)
        walk = Walk(scan.root, rules, scan.below, scan.deep)
        files: Iterator[Found] = iter(walk)
        if scan.files is not None:
            files = _named_files(scan, rules, plan.notices, walk.unreadable)
        elif rules.leave_out(scan.below):
            plan.notices.append(_left_out(where, scan))
            files = iter(())
        elif scan.below and not os.path.lexists(os.path.join(scan.root, scan.below)):  # noqa: PTH118
            files = iter(())  # as a watched folder that was removed
        for file in files:
            relative = file.path
            row = rows.pop(relative, None)
            if len(scans) > 1:
                if (scan.root_id, relative) in seen:
                    continue
                seen.add((scan.root_id, relative))
            plan.files += 1
            on_file(plan.files)
            if row and _unchanged(file, row, options):
                plan.kept.append(row.id)
                plan.known_failures += row.failure is not None
            else:
                absolute = os.path.join(scan.root, relative)  # noqa: PTH118
                plan.tasks.append(
                    FileTask(
                        absolute,
                        scan.root_id,
                        relative,
                        file.size,
                        file.mtime_ns,
                        row.id if row else None,
                    )
                )
        for relative, reason in walk.unreadable:
            plan.notices.append(
                f"{paths.shown(os.path.join(walk.folder, relative))} cannot be looked into "  # noqa: PTH118
                f"({reason}): what the library knows of it is kept"
            )
        plan.passed_over += walk.passed_over
        _note_missing(plan, scan, walk, rows, where)
    return plan


def _note_missing(
    plan: Plan, scan: Scan, walk: Walk, rows: dict[bytes, _Stored], where: str
) -> None:
    if not rows:
        return
    try:
        names = os.listdir(scan.root)  # noqa: PTH208 (bytes)
    except OSError:  # it went away meanwhile
        plan.notices.append(_not_there(scan.root, len(rows)))
        return
    if not names:
        plan.notices.append(
            f"{where} is empty, as a disk that is not mounted would be: its {len(rows)} sounds are kept "
            f"(forget them with: audiosearch remove {where})"
        )
        return
    closed = {path for path, _ in walk.unreadable}
    folders = tuple(path.rstrip(b"/") + b"/" if path else b"" for path in closed)
    for relative, row in rows.items():
        if relative not in closed and not relative.startswith(folders):
            plan.missing.add(row.id)
            plan.gone[row.id] = os.path.join(scan.root, relative)  # noqa: PTH118


def _not_there(folder: bytes, sounds: int) -> str:
    root = paths.shown(folder)
    return (
        f"{root} is not there: its {sounds} sounds are kept (if it was moved: audiosearch "
        f"roots move {root} NEW; forget them with: audiosearch remove {root})"
    )
