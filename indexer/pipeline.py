"""From tasks to outcomes: decoding processes feed the audio tower, and finished files come out one
by one.

Each decoding process has a thread here that reads its windows and runs the audio tower on them
while the process decodes on; there is a pair for every processor, so none idles while another
works. Memory is bounded by what a pipe and a short queue hold. A sound's vectors do not depend on
what is embedded beside it: see `indexer.encoder`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiosearch.models.embedding import mean_of
from indexer.encoder import Encoder
from indexer.plan import FileTask
from indexer.workers import Done, Hashed, Rejected, Windows, Worker, WorkerDied

# Finished files that wait for the database; small files come in bursts between two commits.
_QUEUE = 32


@dataclass(frozen=True)
class Embedded:
    """A file with new vectors (n, d) float32; `starts` and `ends` (n,) in seconds."""

    task: FileTask
    read: Hashed
    done: Done
    vectors: np.ndarray
    starts: list[float]
    ends: list[float]
    mean: np.ndarray


@dataclass(frozen=True)
class Known:
    """A file whose content is in the library with its vectors."""

    task: FileTask
    read: Hashed


@dataclass(frozen=True)
class Failed:
    """A file of which no embedding can be made; `kind` as in `audiosearch.errors.AudioRejected`."""

    task: FileTask
    kind: str
    reason: str


@dataclass(frozen=True)
class Vanished:
    """A file that went away after it was found."""

    task: FileTask


Outcome = Embedded | Known | Failed | Vanished


def embed(
    tasks: Iterable[FileTask],
    open_worker: Callable[[], AbstractContextManager[Worker]],
    encoder: Encoder,
    known: Callable[[bytes], bool],
    cancel: threading.Event,
    workers: int,
) -> Iterator[Outcome]:
    """Embed the files of `tasks`, in whatever order they finish; stops early, between files, when
    `cancel` is set.

    `open_worker` gives a decoding process for as long as its block lasts. `known` tells of a content
    hash whether its vectors are stored; it is called from several threads. An error in a thread (a
    defect, a broken model) is raised here.
    """
    waiting = iter(tasks)
    taking = threading.Lock()
    finished: queue.Queue[Outcome | BaseException | None] = queue.Queue(_QUEUE)
    stop = threading.Event()

    def stopped() -> bool:
        return stop.is_set() or cancel.is_set()

    def put(item: Outcome | BaseException | None) -> None:
        while not stop.is_set():
            try:
                finished.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def run() -> None:
        try:
            with open_worker() as worker:
                while not stopped():
                    with taking:
                        task = next(waiting, None)
                    if task is None:
                        break
                    outcome = read_one(task, worker, encoder, known, stopped)
                    if outcome is not None:
                        put(outcome)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            put(error)
        finally:
            put(None)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        running = len(threads)
        while running:
            item = finished.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def read_one(
    task: FileTask,
    worker: Worker,
    encoder: Encoder,
    known: Callable[[bytes], bool],
    stopped: Callable[[], bool],
) -> Outcome | None:
    """One file's outcome; `None` where it was given up because the run stops."""
    read: Hashed | None = None
    vectors: list[np.ndarray] = []
    times: list[tuple[float, float]] = []
    try:
        for message in worker.read(task.path, lambda hashed: not known(hashed.hash)):
            if isinstance(message, Hashed):
                read = message
            elif isinstance(message, Windows):
                if stopped():
                    worker.stop()
                    return None
                vectors.append(encoder.embed(message.values))
                times.extend(message.times)
            elif isinstance(message, Rejected):
                if message.kind == "vanished":
                    return Vanished(task)
                return Failed(task, message.kind, message.reason)
            else:
                assert read is not None
                return _embedded(task, read, message, np.concatenate(vectors), times)
    except WorkerDied as death:
        return Failed(task, death.kind, str(death))
    assert read is not None
    return Known(task, read)


def _embedded(
    task: FileTask, read: Hashed, done: Done, vectors: np.ndarray, times: list[tuple[float, float]]
) -> Outcome:
    if not np.isfinite(vectors).all():
        return Failed(task, "nan", "the model made no finite vector of it")
    starts: list[Any] = [start for start, _ in times]
    ends: list[Any] = [end for _, end in times]
    return Embedded(task, read, done, vectors, starts, ends, mean_of(vectors))
