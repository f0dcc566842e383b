"""Files that are not to be stored, decoded as carefully as those that are: in processes of their
own, with the limits of indexing, so that a decoder that crashes or hangs costs one answer.

Times are in seconds from the start of the file.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from audiosearch.audio.fingerprint import Fingerprint
from audiosearch.audio.peaks import Peaks
from audiosearch.errors import AudioRejected, AudioSearchError, InvalidQuery
from audiosearch.models.embedding import EmbeddedFile
from audiosearch.models.model import Model
from indexer.protocol import send
from indexer.workers import Worker, WorkerDied

# No picture: with it the audio tower is loaded, and nothing is computed.
_NOTHING = np.empty((0, 0, 0), dtype=np.float32)


class IsolatedReader:
    """At most `processes` decoding processes, each started when it is first needed and started
    again when it died; for any number of threads, of which those beyond wait. Close it when done.

    It belongs to no model: each call names the one whose windows it wants.
    """

    def __init__(self, processes: int = 1) -> None:
        self._decoders = [_Decoder() for _ in range(processes)]
        # The last that was given back is the first to be taken: a process that nobody needs is
        # never started.
        self._free: queue.LifoQueue[_Decoder] = queue.LifoQueue()
        for decoder in self._decoders:
            self._free.put(decoder)

    def __enter__(self) -> IsolatedReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def embed(
        self,
        model: Model,
        path: str | os.PathLike[str],
        start: float = 0.0,
        end: float | None = None,
    ) -> EmbeddedFile:
        """The windows of a file, or of its part from `start` to `end`.

        Raises `AudioRejected`, also where the decoder died of it, and `InvalidQuery` for a part
        that is none.
        """
        bundle = model.bundle
        request = {
            "do": "windows",
            "front_end": asdict(bundle.front_end),
            "length": bundle.window_samples,
            "hop": bundle.hop_samples,
            "start": start,
            "end": end,
        }
        vectors: list[np.ndarray] = []
        times: list[tuple[float, float]] = []
        duration = 0.0
        with self._answers(path, request) as answers:
            model.embed_features(_NOTHING)  # while the process starts and reads
            for head, body in answers:
                if head["is"] == "done":
                    duration = head["duration"]
                    continue
                pictures = np.frombuffer(body, dtype="<f4").reshape(head["shape"])
                vectors.append(model.embed_features(pictures))
                times += head["times"]
        rows = np.concatenate(vectors)
        if not np.isfinite(rows).all():
            raise AudioRejected("nan", "the model made no finite vector of it", os.fsdecode(path))
        starts, ends = np.array(times).T
        return EmbeddedFile(rows, starts, ends, duration)

    def peaks(
        self, path: str | os.PathLike[str], start: float = 0.0, end: float | None = None
    ) -> Peaks:
        """The outline of a file, or of its part from `start` to `end` (`audiosearch.audio.peaks`).

        Raises `AudioRejected`.
        """
        with self._answers(path, {"do": "peaks", "start": start, "end": end}) as answers:
            ((head, body),) = (answer for answer in answers if answer[0]["is"] == "peaks")
        levels = np.frombuffer(body, dtype=np.int8).reshape(head["count"], 2)
        return Peaks(levels, head["frames"], head["rate"])

    def fingerprint(self, path: str | os.PathLike[str]) -> Fingerprint:
        """The fingerprint of a file (`audiosearch.audio.fingerprint`). Raises `AudioRejected`."""
        with self._answers(path, {"do": "fingerprint"}) as answers:
            (body,) = (body for head, body in answers if head["is"] == "fingerprint")
        return Fingerprint.from_bytes(body)

    def spectrogram(
        self,
        path: str | os.PathLike[str],
        start: float = 0.0,
        end: float | None = None,
        columns: int = 1_024,
        rows: int = 128,
        duration: float | None = None,
    ) -> bytes:
        """The spectrogram of a part of a file, as a PNG (`audiosearch.audio.spectrogram`).

        Raises `AudioRejected` and `InvalidQuery`.
        """
        request = {"do": "spectrogram", "start": start, "end": end, "duration": duration}
        with self._answers(path, {**request, "columns": columns, "rows": rows}) as answers:
            (png,) = (body for head, body in answers if head["is"] == "spectrogram")
        return png

    def render(
        self,
        path: str | os.PathLike[str],
        target: Path,
        kind: str,
        start: float = 0.0,
        end: float | None = None,
    ) -> None:
        """Write a part of a file as one that browsers play (`audiosearch.audio.render`).

        Raises `AudioRejected`, `InvalidQuery`, and `AudioSearchError` where `target` cannot be
        written. Nothing is left at `target` then.
        """
        request = {"do": "render", "kind": kind, "start": start, "end": end}
        request["target"] = os.fsencode(target.absolute()).hex()
        try:
            with self._answers(path, request) as answers:
                for head, _ in answers:
                    if head["is"] == "unwritable":
                        raise AudioSearchError(f"cannot write {target}: {head['reason']}")
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """End the processes."""
        for decoder in self._decoders:
            decoder.stop()

    @contextmanager
    def _answers(
        self, path: str | os.PathLike[str], request: dict[str, Any]
    ) -> Iterator[Iterator[tuple[dict[str, Any], bytes]]]:
        """What a decoder says to a request, of which nothing may be left when the block ends."""
        decoder = self._free.get()
        try:
            # The process has another current directory.
            whole = os.path.abspath(os.fsencode(path))  # noqa: PTH100 (bytes)
            decoder.ask({**request, "path": whole.hex()})
            yield decoder.answers()
        except WorkerDied as death:
            raise AudioRejected("undecodable", str(death), os.fsdecode(path)) from death
        except AudioRejected as rejected:
            rejected.path = os.fsdecode(path)
            raise
        finally:
            if decoder.busy:  # it would give the rest of this answer to the next who asks
                decoder.stop()
            self._free.put(decoder)


class _Decoder(Worker):
    """A process of `indexer.decoder`."""

    program = "indexer.decoder"

    def __init__(self) -> None:
        self._config = {}
        self._process = None
        self._hung = False
        self.busy = False

    def ask(self, request: dict[str, Any]) -> None:
        """Send a request. Raises `WorkerDied`."""
        if self._process and self._process.poll() is not None:
            self.stop()  # it died while it had nothing to do: no fault of this file
        self.busy = True
        process = self._started()
        assert process.stdin
        try:
            send(process.stdin, request)
        except OSError as error:
            raise self._death(process) from error

    def answers(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """The messages about the request, to the last. Raises `WorkerDied`, `AudioRejected` and
        `InvalidQuery`.
        """
        while self.busy:
            process = self._process
            assert process
            head, body = self._next(process)
            self.busy = head["is"] in ("windows", "working")
            if head["is"] == "failed":
                raise AudioRejected(head["kind"], head["reason"])
            if head["is"] == "invalid":
                raise InvalidQuery(head["reason"])
            yield head, body

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        super().stop()
        self.busy = False
