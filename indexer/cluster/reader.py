"""The worker of a cluster: it keeps a decoding process and the audio tower, and embeds one file at
a time. Ray runs it as an actor; nothing here knows of Ray.

A file takes two calls. `start` reads it and returns its hash; the coordinator says whether the
library holds that content, and `go_on` decodes and embeds it, or not.
"""

from __future__ import annotations

import queue
import sys
import threading
from pathlib import Path
from typing import Any

from audiosearch.errors import AudioSearchError, ModelBroken, ModelNotFound
from audiosearch.models.bundle import read_bundle
from audiosearch.models.model import Model
from audiosearch.models.registry import load_model
from indexer.cluster import checks
from indexer.cluster.markers import Marker, unseen
from indexer.cluster.messages import Message, to_message
from indexer.encoder import Encoder, open_encoder
from indexer.pipeline import read_one
from indexer.plan import FileTask
from indexer.workers import Worker


class Reader:
    """One worker. Its messages are those of `indexer.cluster.messages`, and besides:

    {"is": "ready"}                        + the probe's vectors, where it was to be checked
    {"is": "refused", "reason": }          this node cannot take part
    {"is": "hashed", "hash": hex}          `go_on` is next
    """

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._encoder: Encoder | None = None
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Message | BaseException] = queue.SimpleQueue()

    def prepare(self, setup: dict[str, Any], check: bool) -> Message:
        """Load the model and start the decoding process. `check`: is this node one like the
        coordinator's?
        """
        try:
            model = _model(setup["directory"], setup["name"], setup["digest"])
            self._encoder = open_encoder(model)
        except AudioSearchError as error:
            return {"is": "refused", "reason": str(error)}, b""
        _one_thread()
        self._worker = Worker(model.bundle, samples=self._encoder.takes_samples)
        if not check:
            return {"is": "ready"}, b""
        reason = unseen(map(Marker.from_json, setup["markers"]))
        if reason:
            return {"is": "refused", "reason": reason}, b""
        vectors = checks.reference(self._worker, self._encoder)
        return {"is": "ready", "shape": vectors.shape}, vectors.astype("<f4").tobytes()

    def start(self, path: bytes) -> Message:
        """Read a file: its hash, or its outcome where there is none."""
        threading.Thread(target=self._read, args=[path], daemon=True).start()
        return self._next()

    def go_on(self, decode: bool) -> Message:
        """The outcome of the file that was started."""
        self._answers.put(decode)
        return self._next()

    def stop(self) -> None:
        """End the decoding process."""
        if self._worker:
            self._worker.stop()

    def _read(self, path: bytes) -> None:
        assert self._worker and self._encoder
        task = FileTask(path, 0, b"", 0, 0, None)

        def known(content: bytes) -> bool:
            self._messages.put(({"is": "hashed", "hash": content.hex()}, b""))
            return not self._answers.get()

        try:
            outcome = read_one(task, self._worker, self._encoder, known, lambda: False)
            assert outcome is not None
            self._messages.put(to_message(outcome))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the call
            self._messages.put(error)

    def _next(self) -> Message:
        message = self._messages.get()
        if isinstance(message, BaseException):
            raise message
        return message


def _one_thread() -> None:
    """Keep torch to one thread: there is a worker for every processor."""
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)


def _model(directory: str, name: str, digest: str) -> Model:
    """Return the coordinator's model: from the same directory, as on a shared disk, or by name.

    Raises `ModelNotFound` or `ModelBroken`.
    """
    try:
        model = Model(read_bundle(Path(directory)))
        if model.identity.digest == digest:
            return model
    except ModelBroken:
        pass  # it is not there: nodes have models in directories of their own
    try:
        model = load_model(name)
    except ModelNotFound as error:
        raise ModelNotFound(
            f"it has no model {name}: add it there, or keep it on the shared disk"
        ) from error
    if model.identity.digest != digest:
        raise ModelBroken(f"its model {name} is another one: {model.identity}")
    return model
