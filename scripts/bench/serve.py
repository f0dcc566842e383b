"""The service under load: wrk sends text queries over many connections, alone and during an index
run.

`python -m scripts.bench.serve --windows 100000 --seconds 600` makes a synthetic library, serves it
in a process of its own, and sends queries; none comes twice within the server's memory for texts.
It prints requests a second, latencies, errors and memory (PSS of the server's process tree at the
start, at the end, and at most). The benchmark needs `wrk` (Debian's package), which shares the
cores.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import soundfile

from scripts.bench import measure
from scripts.bench.make_library import SAMPLES, make
from scripts.figures import COMMAND, pss, tree

SCRIPT = """
local words = {%s}
local near = {"far away", "close", "at night", "in a hall", "outside", "in the rain", "on a street",
  "muffled", "loud", "faint", "twice", "slowly", "in a forest", "indoors", "by the sea", "echoing"}
local n = 0
function setup(thread) thread:set("first", n); n = n + 7919 end
function init() n = first end
function request()
  n = n + 1
  local one, two = words[n %% #words + 1], words[math.floor(n / #words) %% #words + 1]
  local how = near[math.floor(n / (#words * #words)) %% #near + 1]
  local text = (one .. " and " .. two .. " " .. how):gsub(" ", "+")
  return wrk.format("GET", "/v1/search?k=10&q=" .. text)
end
local bad = 0
function response(status) if status ~= 200 then bad = bad + 1 end end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%f %%f %%f %%f %%d\\n", summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@contextmanager
def served(library: Path) -> Iterator[tuple[int, int]]:
    """Serve a library in a process, and give (port, pid) of the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command: list[str | Path] = [COMMAND, "serve", "-L", library, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        for _ in range(300):
            try:
                httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        httpx.get(f"http://127.0.0.1:{port}/v1/search?q=warm", timeout=60)
        try:
            yield port, server.pid
        finally:
            server.terminate()


class Memory(threading.Thread):
    """The sampler of the memory of a process tree, in MB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._over, self.seen = pid, threading.Event(), list[float]()

    def run(self) -> None:
        """Take a sample every second, until `stop`."""
        while not self._over.is_set():
            self.seen.append(sum(pss(pid) for pid in tree(self._pid)))
            self._over.wait(1.0)

    def stop(self) -> str:
        """Stop, and return the memory at the start, at the end, and at its peak."""
        self._over.set()
        self.join()
        return f"{self.seen[0]:.0f} / {self.seen[-1]:.0f} / {max(self.seen):.0f}"


def load(port: int, pid: int, script: Path, seconds: int, connections: int) -> list[str]:
    """Return one row of the table."""
    memory = Memory(pid)
    memory.start()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", str(script)]
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
    ).stdout
    figures = re.search(r"RESULT (\S+) (\S+) (\S+) (\S+) (\S+) (\S+)", output)
    assert figures, output
    count, took, p50, p95, p99, errors = map(float, figures.groups())
    latencies = [f"{value:.0f}" for value in (p50, p95, p99)]
    return [f"{count / took:.0f}", *latencies, f"{errors:.0f} of {count:.0f}", memory.stop()]


def effects(folder: Path, count: int) -> None:
    """Write short sounds to index meanwhile."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    for number in range(count):
        noise = rng.normal(0, 0.1, 2 * 44_100).astype(np.float32)
        soundfile.write(folder / f"{number:05}.wav", noise, 44_100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--indexing-seconds", type=int, default=120)
    parser.add_argument("--connections", type=int, default=32)
    args = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt install wrk")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make(work / "library", args.windows // 4, 4)
        with (SAMPLES / "queries.csv").open(encoding="utf-8", newline="") as file:
            words = ", ".join(f'"{row["query"]}"' for row in csv.DictReader(file))
        (work / "ask.lua").write_text(SCRIPT % words, encoding="utf-8")
        print(measure.machine())
        header = ["", "requests/s", "p50, ms", "p95, ms", "p99, ms", "errors", "memory, MB"]
        rows = []
        with served(work / "library") as (port, pid):
            row = load(port, pid, work / "ask.lua", args.seconds, args.connections)
            rows.append(["alone", *row])
            effects(work / "effects", 100 * args.indexing_seconds)
            index = subprocess.Popen(
                [COMMAND, "index", "-L", work / "library", work / "effects"],
                stderr=subprocess.DEVNULL,
            )
            try:
                seconds = args.indexing_seconds
                row = load(port, pid, work / "ask.lua", seconds, args.connections)
                rows.append(["while indexing" if index.poll() is None else "after indexing", *row])
            finally:
                index.kill()
                index.wait()
        measure.table(header, rows)


if __name__ == "__main__":
    main()
