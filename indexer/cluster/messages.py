"""Outcomes as messages (`indexer.protocol`): a JSON head, and the vectors behind it as float32,
little-endian.

    {"is": "embedded", "read": {...}, "done": {...}, "times": [[start, end], ...]}   + vectors (n, d)
    {"is": "known", "read": {...}}
    {"is": "failed", "kind": , "reason": }
    {"is": "vanished"}
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from audiosearch.audio.loudness import Loudness
from audiosearch.models.embedding import mean_of
from indexer.pipeline import Embedded, Failed, Known, Outcome, Vanished
from indexer.plan import FileTask
from indexer.workers import Done, Hashed

Message = tuple[dict[str, Any], bytes]


def to_message(outcome: Outcome) -> Message:
    """Return the message of an outcome. The task stays behind: its id stands for it."""
    if isinstance(outcome, Embedded):
        times = list(zip(outcome.starts, outcome.ends, strict=True))
        head = {
            "is": "embedded",
            "read": _read(outcome.read),
            "done": asdict(outcome.done),
            "times": times,
        }
        return head, outcome.vectors.astype("<f4", copy=False).tobytes()
    if isinstance(outcome, Known):
        return {"is": "known", "read": _read(outcome.read)}, b""
    if isinstance(outcome, Failed):
        return {"is": "failed", "kind": outcome.kind, "reason": outcome.reason}, b""
    return {"is": "vanished"}, b""


def _read(read: Hashed) -> dict[str, Any]:
    return {**asdict(read), "hash": read.hash.hex()}


def to_outcome(task: FileTask, head: dict[str, Any], body: bytes) -> Outcome:
    """Return the outcome of a message about `task`."""
    if head["is"] == "failed":
        return Failed(task, head["kind"], head["reason"])
    if head["is"] == "vanished":
        return Vanished(task)
    read = Hashed(**{**head["read"], "hash": bytes.fromhex(head["read"]["hash"])})
    if head["is"] == "known":
        return Known(task, read)
    done = Done(**{**head["done"], "loudness": Loudness(**head["done"]["loudness"])})
    starts, ends = ([pair[i] for pair in head["times"]] for i in (0, 1))
    vectors = np.frombuffer(body, dtype="<f4").reshape(len(starts), -1).astype(np.float32)
    # The mean is made here: its bits are those of this machine, whoever read the file.
    return Embedded(task, read, done, vectors, starts, ends, mean_of(vectors))
