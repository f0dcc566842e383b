"""A decoding process for files that are not to be stored: heard, drawn, or rendered.

Run as ``python -m indexer.decoder``; speaks `indexer.protocol` on stdin and stdout. It differs from
`indexer.worker` in what it does not do: it reads no hash and no tags. It knows no model: each
request brings the front end along, so one process serves every model.

    parent: {}                                                              once
    parent: {"do": "windows", "path": hex, "front_end": ..., "length": ..., "hop": ...,
             "start": seconds, "end": seconds or null}
    decoder: {"is": "windows", "times": [[start, end], ...], "shape": [n, frames, mels]} + float32
    decoder: {"is": "done", "duration": seconds}
    parent: {"do": "peaks", "path": hex, "start": seconds, "end": seconds or null}
    decoder: {"is": "working"}                                              now and then
    decoder: {"is": "peaks", "frames": , "rate": , "count": n} + int8 (n, 2)
    parent: {"do": "fingerprint", "path": hex}
    decoder: {"is": "working"}                                              now and then
    decoder: {"is": "fingerprint"} + its stored form
    parent: {"do": "spectrogram", "path": hex, "start": , "end": , "columns": , "rows": ,
             "duration": seconds or null}
    decoder: {"is": "working"}                                              now and then
    decoder: {"is": "spectrogram"} + PNG
    parent: {"do": "render", "path": hex, "target": hex, "kind": , "start": , "end": }
    decoder: {"is": "done"}

In place of any of these: {"is": "failed", "kind": , "reason": }, of the file; {"is": "invalid",
"reason": }, of the request; {"is": "unwritable", "reason": }, of the target.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from audiosearch.audio.reader import read_windows
from audiosearch.errors import AudioRejected, InvalidQuery
from audiosearch.models.bundle import FrontEnd
from indexer import confined
from indexer.protocol import receive, send
from indexer.window_messages import Message, window_messages
from indexer.worker import pulse

# The parent takes a decoder that is silent for long for one that hangs. In seconds.
_SIGN_OF_LIFE = 5.0


def _windows(path: bytes, request: dict[str, Any]) -> Iterator[Message]:
    """The windows of a part of a file that hold sound, as log-mel pictures."""
    front_end = FrontEnd(**request["front_end"])
    with read_windows(
        path,
        rate=front_end.sampling_rate,
        length=request["length"],
        hop=request["hop"],
        padding=front_end.padding,
        start=request["start"],
        end=request["end"],
    ) as (reading, windows):
        yield from window_messages(windows, front_end)
    yield {"is": "done", "duration": reading.duration}, b""


def _peaks(path: bytes, request: dict[str, Any], outgoing: IO[bytes]) -> Message:
    from audiosearch.audio.decode import open_audio
    from audiosearch.audio.peaks import first_frames, outline

    def alive(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        last = time.monotonic()
        for block in blocks:
            if time.monotonic() - last > _SIGN_OF_LIFE:
                send(outgoing, {"is": "working"})
                last = time.monotonic()
            yield block

    with open_audio(path) as stream:
        rate, end = stream.info.sample_rate, request["end"]
        first = round(request["start"] * rate)
        blocks = alive(stream.blocks(first))
        if end is not None:
            blocks = first_frames(blocks, round(end * rate) - first)
        drawn = outline(blocks, rate)
    head = {
        "is": "peaks",
        "frames": drawn.frames,
        "rate": drawn.sample_rate,
        "count": len(drawn.levels),
    }
    return head, drawn.levels.tobytes()


def _fingerprint(path: bytes, outgoing: IO[bytes]) -> Message:
    from audiosearch.audio.fingerprint import fingerprint_file

    alive = pulse(_SIGN_OF_LIFE, lambda: send(outgoing, {"is": "working"}))
    return {"is": "fingerprint"}, fingerprint_file(path, alive).to_bytes()


def _spectrogram(path: bytes, request: dict[str, Any], outgoing: IO[bytes]) -> Message:
    from audiosearch.audio.spectrogram import as_png, spectrogram

    names = ("start", "end", "columns", "rows", "duration")
    alive = pulse(_SIGN_OF_LIFE, lambda: send(outgoing, {"is": "working"}))
    drawn = spectrogram(path, **{name: request[name] for name in names}, alive=alive)
    return {"is": "spectrogram"}, as_png(drawn)


def _render(path: bytes, request: dict[str, Any]) -> Message:
    from soundfile import SoundFileRuntimeError

    from audiosearch.audio.render import render

    target = Path(os.fsdecode(bytes.fromhex(request["target"])))
    try:
        render(path, target, request["kind"], request["start"], request["end"])
    except (SoundFileRuntimeError, OSError) as error:  # the file's own come as `AudioRejected`
        return {"is": "unwritable", "reason": str(error)}, b""
    return {"is": "done"}, b""


def _answers(request: dict[str, Any], outgoing: IO[bytes]) -> Iterator[Message]:
    path = bytes.fromhex(request["path"])
    if request["do"] == "windows":
        yield from _windows(path, request)
    elif request["do"] == "peaks":
        yield _peaks(path, request, outgoing)
    elif request["do"] == "spectrogram":
        yield _spectrogram(path, request, outgoing)
    elif request["do"] == "fingerprint":
        yield _fingerprint(path, outgoing)
    else:
        yield _render(path, request)


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Answer requests until `incoming` ends."""
    if receive(incoming) is None:
        return
    while (request := receive(incoming)) is not None:
        try:
            for head, body in _answers(request[0], outgoing):
                send(outgoing, head, body)
        except AudioRejected as rejected:
            failed = {"is": "failed", "kind": rejected.kind, "reason": str(rejected)}
            send(outgoing, failed)
        except InvalidQuery as error:
            send(outgoing, {"is": "invalid", "reason": str(error)})
        except BrokenPipeError:
            return  # nobody listens any more
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
