"""`Standby` keeps the parts of an index run that cost more than to embed a file: the model, its
encoder, and a decoding process. An open library keeps them for its next run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from audiosearch.models.model import Model
from indexer.encoder import Encoder, open_encoder
from indexer.workers import Worker


class Standby:
    """The encoder of the model used last, and one decoding process for it. It is thread-safe.

    Close it after use: the process ends then, and at the latest with this program.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: tuple[Model, Encoder] | None = None
        self._idle: tuple[str, Worker] | None = None
        self._closed = False

    def model(self, digest: str) -> Model | None:
        """Return the model with that digest, if it is the model used last."""
        with self._lock:
            ready = self._ready
        return ready[0] if ready and ready[0].identity.digest == digest else None

    def encoder(self, model: Model) -> Encoder:
        """Return the encoder of a model. The encoder is checked when it is opened.

        Raises `ModelBroken` or `ModelNotFound`.
        """
        with self._lock:
            if self._ready is None or self._ready[0].identity.digest != model.identity.digest:
                self._ready = (model, open_encoder(model))
            return self._ready[1]

    @contextmanager
    def worker(self, model: Model, *, gentle: bool = False) -> Iterator[Worker]:
        """A decoding process for the model's `encoder`: the idle one, or a new one; `gentle` is as in
        `Worker`.
        """
        samples = self.encoder(model).takes_samples
        with self._lock:
            digest, worker = self._idle or ("", None)
            if worker and digest == model.identity.digest and worker.gentle == gentle:
                self._idle = None
            else:
                worker = None
        worker = worker or Worker(model.bundle, samples=samples, gentle=gentle)
        try:
            yield worker
        except BaseException:
            worker.stop()  # the process may be in the middle of a file
            raise
        self._keep(model.identity.digest, worker)

    def _keep(self, digest: str, worker: Worker) -> None:
        with self._lock:
            if self._closed:
                surplus: Worker | None = worker
            else:
                surplus = self._idle[1] if self._idle else None
                self._idle = (digest, worker)
        if surplus:
            surplus.stop()

    def close(self) -> None:
        """End the idle process. A busy process ends when its user returns it."""
        with self._lock:
            self._closed = True
            idle, self._idle, self._ready = self._idle, None, None
        if idle:
            idle[1].stop()
