"""A job's work: folders and files as they are, or a list of files that each bring their own id and
metadata.

Of a list, each item has an outcome of its own: a path that is not there, or holds no sound, is a
failure of that item and keeps no other from being indexed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from audiosearch.errors import SoundNotFound
from audiosearch.library import Library
from audiosearch.server.job_store import Job

if TYPE_CHECKING:
    from indexer.progress import Progress


def index_items(
    library: Library,
    job: Job,
    *,
    on_progress: Callable[[Progress], None],
    cancel: threading.Event,
    turn: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """The summary of the job's run, and of its items: ``described``, and ``item_failures``.

    Raises what `Library.add` does.
    """
    failures: list[dict[str, Any]] = []
    present = []
    for number, item in enumerate(job.items):
        reason = _missing(item["path"])
        if reason:
            failures.append(_failure(number, item, "unreadable", reason))
        else:
            present.append((number, item))
    if job.items and not present:
        return {**_nothing(), "described": 0, "item_failures": failures}
    paths = [item["path"] for _, item in present] or list(job.paths)
    summary = library.add(
        paths,
        metadata=job.metadata,
        external_id=job.external_id,
        on_progress=on_progress,
        cancel=cancel,
        wait=0.0,
        turn=turn,
        **job.options,
    )
    described = []
    for number, item in present:
        try:
            sound = library.sound(item["path"])
        except SoundNotFound:
            there = os.path.isfile(item["path"])  # noqa: PTH113
            reason = "it is left out by a pattern of its folder" if there else "it went away"
            if summary.interrupted:
                reason = "the job was cancelled"
            failures.append(_failure(number, item, "unreadable", reason))
            continue
        described.append((sound.id, item.get("external_id"), item.get("metadata")))
        if sound.failure:
            failures.append(_failure(number, item, sound.failure, sound.reason or ""))
    if described:
        library.describe_many(described)
    failures.sort(key=lambda failure: failure["item"])
    return {**asdict(summary), "described": len(described), "item_failures": failures}


def _missing(path: str) -> str | None:
    """Why there is no sound at a path, as far as its name says."""
    from indexer.scan import is_sound_name

    if not os.path.isfile(path):  # noqa: PTH113
        return "there is no such file"
    return None if is_sound_name(os.fsencode(path)) else "its name has no suffix of a sound"


def _failure(number: int, item: dict[str, Any], kind: str, reason: str) -> dict[str, Any]:
    named = {"item": number, "path": item["path"], "external_id": item.get("external_id")}
    return {**named, "kind": kind, "reason": reason}


def _nothing() -> dict[str, Any]:
    from indexer.summary import Summary

    return asdict(Summary())
