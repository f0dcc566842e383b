"""One file that is not to be stored, decoded as carefully as those that are: in a process of its
own, with the limits of indexing."""

from __future__ import annotations

import os
import threading

import numpy as np

from audiosearch.errors import AudioRejected
from audiosearch.models.embedding import EmbeddedFile
from audiosearch.models.model import Model
from indexer.encoder import PictureEncoder
from indexer.pipeline import Embedded, Failed, read_one
from indexer.plan import Job
from indexer.workers import Worker


class IsolatedReader:
    """A decoding process for one file after another; thread-safe, close it when done."""

    def __init__(self, model: Model) -> None:
        self._encoder = PictureEncoder(model)
        self._worker = Worker(model.bundle)
        self._lock = threading.Lock()

    def embed(self, path: str | os.PathLike[str]) -> EmbeddedFile:
        """The windows of a file. Raises `AudioRejected`, also where the decoder died of it."""
        raw = os.fsencode(path)
        with self._lock:
            outcome = read_one(
                Job(raw, 0, raw, 0, 0, None),
                self._worker,
                self._encoder,
                lambda content: False,
                lambda: False,
            )
        if isinstance(outcome, Failed):
            raise AudioRejected(outcome.kind, outcome.reason)
        if not isinstance(outcome, Embedded):
            raise AudioRejected("unreadable", "it went away while it was read")
        return EmbeddedFile(
            outcome.vectors,
            np.array(outcome.starts),
            np.array(outcome.ends),
            outcome.done.duration,
        )

    def close(self) -> None:
        """End the process."""
        self._worker.stop()
