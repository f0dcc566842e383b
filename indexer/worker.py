"""A decoding process: file in, content hash and windows out, as log-mel pictures or as samples.

Run as ``python -m indexer.worker``; speaks `indexer.protocol` on stdin and stdout. Decoders are C
libraries that read whatever people have on their disks: here a crash costs one file. It ends when
its stdin does, so it cannot outlive its parent.

    parent: {"front_end": ..., "length": ..., "hop": ..., "samples": bool, "alive": seconds}   once
    parent: {"path": hex}                                       a file
    worker: {"is": "hashed", "hash": hex, "size": , "mtime_ns": }
    parent: {"decode": true | false}                            false: its content is known
    worker: {"is": "windows", "times": [[start, end], ...], "shape": [n, frames, mels]} + float32
            (or the windows' samples, of shape [n, length], where "samples" says so)
    worker: {"is": "done", "duration": , "info": , "tags": , "truncated": , "notices": [...],
             "loudness": {"integrated": , "peak": }}
         or {"is": "failed", "kind": , "reason": }              in place of any of the above
    worker: {"is": "alive"}                                     between any of them: it still reads

It is alive as long as bytes are read or sound is decoded, at whatever pace: a slow disk and hours
of silence are no reason to stop it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import IO, Any

from audiosearch.audio.loudness import LoudnessMeter
from audiosearch.audio.reader import read_windows
from audiosearch.audio.stream import Alive
from audiosearch.audio.tags import read_tags
from audiosearch.errors import AudioRejected
from audiosearch.models.bundle import FrontEnd
from indexer import confined
from indexer.protocol import receive, send
from indexer.scan import stamp
from indexer.window_messages import Message, window_messages

_HASH_BLOCK = 1 << 20


def content_hash(file: IO[bytes], alive: Alive = lambda: None) -> bytes:
    """BLAKE2b (32 bytes) of the whole file; `alive` is called at each block of it."""
    digest = hashlib.blake2b(digest_size=32)
    while block := file.read(_HASH_BLOCK):
        digest.update(block)
        alive()
    return digest.digest()


def pulse(every: float, send_one: Callable[[], None]) -> Alive:
    """What is to be called at each step: sends a sign of life at most once in `every` seconds."""
    last = time.monotonic()

    def alive() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every:
            last = now
            send_one()

    return alive


def _stat(path: bytes) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116 (bytes)
    return status.st_size, status.st_mtime_ns


def _hash(path: bytes, alive: Alive) -> dict[str, Any]:
    try:
        before = _stat(path)
        with open(path, "rb") as file:  # noqa: PTH123 (bytes)
            digest = content_hash(file, alive)
        if _stat(path) != before:
            raise AudioRejected("changed", "it changed while it was read")
    except FileNotFoundError as error:
        raise AudioRejected("vanished", "it is no longer there") from error
    except OSError as error:
        raise AudioRejected("unreadable", error.strerror or str(error)) from error
    return {"is": "hashed", "hash": digest.hex(), "size": before[0], "mtime_ns": stamp(before[1])}


def _windows(
    path: bytes, config: dict[str, Any], front_end: FrontEnd, alive: Alive
) -> Iterator[Message]:
    """The file's messages from the first windows to "done"."""
    before = _stat(path)
    meter = LoudnessMeter()
    with read_windows(
        path,
        rate=front_end.sampling_rate,
        length=config["length"],
        hop=config["hop"],
        padding=front_end.padding,
        alive=alive,
        meter=meter,
    ) as (reading, windows):
        yield from window_messages(windows, None if config["samples"] else front_end)
    if reading.truncated:
        _check_readable(path)
    tags = read_tags(path)
    if _stat(path) != before:
        raise AudioRejected("changed", "it changed while it was read")
    done = {
        "is": "done",
        "duration": reading.duration,
        "info": asdict(reading.info),
        "tags": tags,
        "truncated": reading.truncated,
        "notices": reading.notices,
        "loudness": asdict(meter.result()),
    }
    yield done, b""


def _check_readable(path: bytes) -> None:
    """Raises `OSError` where the file is short because the system cannot read it."""
    with open(path, "rb") as file:  # noqa: PTH123 (bytes)
        file.seek(-1, os.SEEK_END)
        file.read(1)


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Answer requests until `incoming` ends."""
    first = receive(incoming)
    if first is None:
        return
    config = first[0]
    front_end = FrontEnd(**config["front_end"])
    alive = pulse(config["alive"], lambda: send(outgoing, {"is": "alive"}))
    while (request := receive(incoming)) is not None:
        path = bytes.fromhex(request[0]["path"])
        try:
            send(outgoing, _hash(path, alive))
            answer = receive(incoming)
            if answer is None:
                return
            if answer[0]["decode"]:
                for head, body in _windows(path, config, front_end, alive):
                    send(outgoing, head, body)
        except AudioRejected as rejected:
            failed = {"is": "failed", "kind": rejected.kind, "reason": str(rejected)}
            send(outgoing, failed)
        except FileNotFoundError:
            send(outgoing, {"is": "failed", "kind": "vanished", "reason": "it is no longer there"})
        except BrokenPipeError:  # nobody listens any more
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            send(outgoing, {"is": "failed", "kind": "unreadable", "reason": reason})
        except MemoryError:
            reason = "decoding it wants more memory than any sound should"
            send(outgoing, {"is": "failed", "kind": "refused", "reason": reason})


def main() -> None:
    """Serve on stdin and stdout."""
    confined.run(serve)


if __name__ == "__main__":
    main()
