"""An index run on a cluster: the side that holds the library.

`Coordinator.embed` does what `indexer.pipeline.embed` does, with workers on other machines. The run
plans, asks the store which contents it holds, and stores; workers (`reader`) read files and return
vectors. Between them is a process that uses Ray (`bridge`), with the bookkeeping of `pool`.

A file has one outcome, and only this side writes: so no file is stored twice, whatever dies. What
is under way is bounded by two files a worker, and finished files by a short queue.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from audiosearch.errors import ClusterUnavailable
from audiosearch.models.model import Model
from indexer.cluster import checks
from indexer.cluster.address import Address
from indexer.cluster.markers import markers
from indexer.cluster.messages import Message, to_outcome
from indexer.pipeline import Outcome
from indexer.plan import FileTask
from indexer.protocol import receive, send
from indexer.standby import Standby

log = logging.getLogger(__name__)

# Finished files that wait for the database.
_QUEUE = 32
# Seconds for Ray to come up, end its workers and go. A second Ctrl-C does not wait for it.
_ENDING = 60.0


class Coordinator:
    """The workers of a cluster for one run. Close it after use.

    `limit` is the greatest number of workers, by default one for every processor of the cluster.
    `known` tells of a content hash whether its vectors are stored. Once `cancel` is set, files under
    way are given up.
    """

    def __init__(
        self,
        address: Address,
        limit: int | None,
        model: Model,
        standby: Standby,
        known: Callable[[bytes], bool],
        cancel: threading.Event,
    ) -> None:
        self._address = address
        self._limit = limit
        self._model = model
        self._standby = standby
        self._known = known
        self._cancel = cancel
        self._process: subprocess.Popen[bytes] | None = None
        self._received: queue.Queue[Message | BaseException | None] = queue.Queue(_QUEUE)
        self._sending = threading.Lock()
        self._closed = threading.Event()
        self._listener: threading.Thread | None = None
        self._room = 0
        self._ids = itertools.count()
        self._under_way: dict[int, FileTask] = {}

    def embed(self, tasks: Sequence[FileTask]) -> Iterator[Outcome]:
        """Embed files, in whatever order they finish. Raises `ClusterUnavailable`."""
        if self._process is None:
            self._start(tasks)
        waiting = deque(tasks)
        while (waiting or self._under_way) and not self._cancel.is_set():
            while waiting and len(self._under_way) < self._room:
                self._read(waiting.popleft())
            try:
                outcome = self._taken(self._received.get(timeout=0.2))
            except queue.Empty:
                continue
            if outcome:
                yield outcome
        while not self._received.empty():  # what was finished when the run was stopped
            outcome = self._taken(self._received.get())
            if outcome:
                yield outcome

    def close(self) -> None:
        """Leave the cluster. Its workers end, and a cluster of this run's own with them."""
        self._closed.set()
        process = self._process
        if process is None:
            return
        assert process.stdin and process.stdout
        with suppress(BrokenPipeError):  # it has ended already
            process.stdin.close()
        try:
            process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._listener:
            self._listener.join()
        process.stdout.close()

    # -- the process that uses Ray --------------------------------------------------------------

    def _start(self, tasks: Sequence[FileTask]) -> None:
        encoder = self._standby.encoder(self._model)
        with self._standby.worker(self._model) as worker:
            reference = checks.reference(worker, encoder)
        bundle = self._model.bundle
        setup = {
            "directory": str(bundle.directory),
            "name": bundle.name,
            "digest": bundle.identity.digest,
            "fp32": checks.sums_in_fp32(bundle.precision),
            "gpu": bundle.bf16_from is not None,
            "facts": checks.facts(),
            "markers": [mark.to_json() for mark in markers(tasks)],
        }
        config = {
            "head": self._address.head,
            "local": self._address.local,
            "limit": self._limit,
            "setup": setup,
            "shape": reference.shape,
        }
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "indexer.cluster.bridge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # Ray's own reports are in its folder of logs
            env=environment,
            cwd=os.sep,
            start_new_session=True,  # Ctrl-C in the terminal is for this process
        )
        self._send(config, reference.astype("<f4").tobytes())
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _read(self, task: FileTask) -> None:
        file = next(self._ids)
        self._under_way[file] = task
        self._send({"do": "read", "file": file, "path": task.path.hex()})

    def _send(self, head: dict[str, Any], body: bytes = b"") -> None:
        assert self._process and self._process.stdin
        try:
            with self._sending:
                send(self._process.stdin, head, body)
        except (BrokenPipeError, ValueError):
            pass  # it has ended, or this side closed it: the listener notices

    def _listen(self) -> None:
        """Answer the questions of workers at once, and queue what is for the run."""
        assert self._process and self._process.stdout
        try:
            while (message := receive(self._process.stdout)) is not None:
                head = message[0]
                if head["is"] == "hashed":
                    new = not self._known(bytes.fromhex(head["hash"]))
                    self._send({"do": "answer", "file": head["file"], "yes": new})
                elif head["is"] == "gone?":
                    task = self._under_way.get(head["file"])
                    gone = task is None or not os.path.lexists(task.path)
                    self._send({"do": "answer", "file": head["file"], "yes": gone})
                else:
                    self._put(message)
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the run's thread
            self._put(error)

    def _put(self, message: Message | BaseException | None) -> None:
        while not self._closed.is_set():
            try:
                self._received.put(message, timeout=0.2)
                return
            except queue.Full:
                continue

    def _taken(self, message: Message | BaseException | None) -> Outcome | None:
        """Return the outcome of a message, if it is one."""
        if message is None:
            raise ClusterUnavailable(
                f"the cluster {self._address.text} was lost: what is stored stays, and the same "
                "command goes on from there"
            )
        if isinstance(message, BaseException):
            raise message
        head, body = message
        if head["is"] == "room":
            self._room = head["files"]
        elif head["is"] == "notice":
            log.warning("%s", head["text"])
        elif head["is"] == "hopeless":
            raise ClusterUnavailable(
                f"the cluster {self._address.text} cannot be used: {head['reason']}"
            )
        elif head["is"] == "defect":
            raise RuntimeError(head["trace"])
        else:
            task = self._under_way.pop(head["file"], None)
            return to_outcome(task, head, body) if task else None
        return None
