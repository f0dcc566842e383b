"""The process between an index run and Ray: ``python -m indexer.cluster.bridge``.

Ray ends the process that uses it when it loses its cluster, changes how signals are handled, and
gives every worker the current directory to import from. So it has a process of its own, at the root
directory. It speaks `indexer.protocol` on stdin and stdout, and ends when its stdin does.

    run:    {"head": , "local": , "limit": , "setup": ..., "shape": [n, d]} + the probe's vectors  once
    bridge: {"is": "room", "files": n, "workers": w}    so many files may be under way
    run:    {"do": "read", "file": id, "path": hex}
    bridge: {"is": "hashed", "file": id, "hash": hex}   is its content new?
    bridge: {"is": "gone?", "file": id}                 is it gone here, too?
    run:    {"do": "answer", "file": id, "yes": bool}
    bridge: an outcome (`indexer.cluster.messages`) with "file"
    bridge: {"is": "notice", "text": }
    bridge: {"is": "hopeless", "reason": }              the last: the cluster cannot be used
    bridge: {"is": "defect", "trace": }                 the last: a program error
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from typing import IO, Any

import numpy as np

from indexer.cluster.nodes import Hopeless
from indexer.cluster.pool import Pool
from indexer.cluster.ray_cluster import RayCluster, connected
from indexer.protocol import receive, send


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Do one run's work."""
    first = receive(incoming)
    if first is None:
        return
    config, body = first
    try:
        with connected(config["head"], config["local"]) as cluster:
            asyncio.run(_work(cluster, config, body, incoming, outgoing))
    except (ConnectionError, Hopeless) as error:
        send(outgoing, {"is": "hopeless", "reason": str(error)})
    except BrokenPipeError:
        raise
    except Exception:  # noqa: BLE001 - it is raised again in the run
        send(outgoing, {"is": "defect", "trace": traceback.format_exc()})


async def _work(
    cluster: RayCluster,
    config: dict[str, Any],
    body: bytes,
    incoming: IO[bytes],
    outgoing: IO[bytes],
) -> None:
    reference = np.frombuffer(body, dtype="<f4").reshape(config["shape"])

    def say(head: dict[str, Any], rest: bytes) -> None:
        send(outgoing, head, rest)  # it waits while the run is busy: no more is read meanwhile

    pool = Pool(cluster, config["setup"], reference, say, config["limit"])
    loop, work = asyncio.get_running_loop(), asyncio.create_task(pool.run())

    def listen() -> None:
        while (message := receive(incoming)) is not None:
            head = message[0]
            if head["do"] == "read":
                loop.call_soon_threadsafe(
                    pool.files.read, head["file"], bytes.fromhex(head["path"])
                )
            else:
                loop.call_soon_threadsafe(pool.files.answer, head["file"], head["yes"])
        loop.call_soon_threadsafe(work.cancel)

    threading.Thread(target=listen, daemon=True).start()
    with suppress(asyncio.CancelledError):  # the run is over
        await work


def main() -> None:
    """Serve on stdin and stdout. Ctrl-C is the business of the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Ray prints; nothing but messages may reach the run.
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, outgoing)


if __name__ == "__main__":
    main()
