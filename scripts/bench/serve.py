"""The service under load: text queries over many connections, alone and during an index run, and
uploads; of this version, or of this one and another by turns.

`python -m scripts.bench.serve --windows 100000 --seconds 600` makes a synthetic library, serves it
in a process of its own, and sends queries by `wrk`; none comes twice within the server's memory for
texts. Then a job of the server indexes while queries come, and then short sounds are uploaded one
after another, until the job of the last is done. This version is asked by sound alone, too
(`match=sound`), which is all that 0.1 did. It prints requests a second, latencies, errors,
the time of the uploads, and memory (PSS of the server's process tree at the start, at the end, and
at most). `--against CHECKOUT` (a checkout of another version with an environment in `.venv`) does
each of that `--rounds` times with both, by turns, and prints medians and their ratios.

The benchmark needs `wrk` (Debian's package), which shares the cores.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import soundfile

from scripts.bench import measure
from scripts.bench.make_library import SAMPLES
from scripts.figures import COMMAND
from scripts.processes import processor_seconds, pss, tree

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
  return wrk.format("GET", "/v1/search?k=10%s&q=" .. text)
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


@dataclass(frozen=True)
class Version:
    """A version of the program in a `checkout`, and a library that it made."""

    name: str
    checkout: Path
    library: Path

    @property
    def command(self) -> Path:
        """The installed command of the checkout."""
        return self.checkout / ".venv" / "bin" / "audiosearch"

    def run(self, module: str, *args: str | Path) -> None:
        """Run a module of the checkout to its end."""
        python = self.checkout / ".venv" / "bin" / "python"
        subprocess.run([python, "-m", module, *args], cwd=self.checkout, check=True)


@dataclass(frozen=True)
class Load:
    """What one round of queries gave. Latencies are in ms, and so is the server's processor time
    for a request; memory is in MB: first, last, most.
    """

    rate: float
    p50: float
    p95: float
    p99: float
    cpu: float
    errors: int
    requests: int
    memory: tuple[float, float, float]


@contextmanager
def served(
    library: Path, command: Path = COMMAND, uploads: Path | None = None
) -> Iterator[tuple[int, int]]:
    """Serve a library in a process, and give (port, pid) of the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line: list[str | Path] = [command, "serve", "-L", library, "--port", str(port)]
    if uploads:
        line += ["--uploads", uploads]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                try:
                    httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            httpx.get(f"http://127.0.0.1:{port}/v1/search?q=warm", timeout=60)
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

    def stop(self) -> tuple[float, float, float]:
        """Stop, and return the memory at the start, at the end, and at its peak."""
        self._over.set()
        self.join()
        return self.seen[0], self.seen[-1], max(self.seen)


def load(port: int, pid: int, script: Path, seconds: int, connections: int) -> Load:
    """Send queries for so many seconds."""
    memory = Memory(pid)
    memory.start()
    spent = processor_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", str(script)]
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
    ).stdout
    figures = re.search(r"RESULT (\S+) (\S+) (\S+) (\S+) (\S+) (\S+)", output)
    assert figures, output
    count, took, p50, p95, p99, errors = map(float, figures.groups())
    cpu = 1000 * (processor_seconds(pid) - spent) / max(1, count)
    return Load(count / took, p50, p95, p99, cpu, int(errors), int(count), memory.stop())


def come_to_rest(pid: int) -> None:
    """Wait until a server has answered what a load left in its hands, and rests for a second."""
    before = -1.0
    while (spent := processor_seconds(pid)) > before:
        before = spent
        time.sleep(1)


def effects(folder: Path, count: int) -> None:
    """Write short sounds, each of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(int.from_bytes(os.fsencode(folder)[-8:]))
    for number in range(count):
        noise = rng.normal(0, 0.1, 2 * 44_100).astype(np.float32)
        soundfile.write(folder / f"{number:05}.wav", noise, 44_100)


def current(server: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """Return the job as it is now. A server that has its hands full is asked again."""
    while (answer := server.get(f"/v1/jobs/{job['id']}")).status_code == 503:
        time.sleep(0.05)
    state: dict[str, Any] = answer.raise_for_status().json()
    return state


def finished(server: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """Wait for a job, and return it as it ended."""
    while job["state"] in ("queued", "running"):
        time.sleep(0.02)
        job = current(server, job)
    return job


def while_indexing(
    port: int, pid: int, script: Path, folder: Path, seconds: int, connections: int
) -> tuple[Load, int]:
    """Send queries while a job indexes a folder; return how many of its files were done, too."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as server:
        job = server.post("/v1/jobs", json={"paths": [str(folder)]}).raise_for_status().json()
        while (job["progress"] or {}).get("stage") != "index":
            time.sleep(0.05)
            job = current(server, job)
        before = job["progress"]["done"]
        result = load(port, pid, script, seconds, connections)
        job = current(server, job)
        assert job["progress"]["stage"] == "index", "the index run ended before the queries"
        server.delete(f"/v1/jobs/{job['id']}")
        finished(server, job)
        return result, job["progress"]["done"] - before


def upload(port: int, folder: Path, prefix: str) -> float:
    """Upload each sound of a folder, and return the seconds until all are indexed."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as server:
        began = time.perf_counter()
        jobs = [
            server.post(
                "/v1/uploads", params={"name": prefix + path.name}, content=path.read_bytes()
            )
            .raise_for_status()
            .json()
            for path in sorted(folder.iterdir())
        ]
        states = {finished(server, job)["state"] for job in jobs}
        assert states == {"done"}, states
        return time.perf_counter() - began


@dataclass
class Results:
    """What the rounds of one version gave: files a second of the index runs, seconds of the uploads."""

    alone: list[Load] = field(default_factory=list)
    sound: list[Load] = field(default_factory=list)
    indexing: list[Load] = field(default_factory=list)
    indexed: list[float] = field(default_factory=list)
    uploads: list[float] = field(default_factory=list)


def measured(
    versions: Sequence[Version], work: Path, args: argparse.Namespace
) -> dict[str, Results]:
    """Serve each version, and do each phase by turns."""
    script, by_sound = work / "ask.lua", work / "ask by sound.lua"
    results = {version.name: Results() for version in versions}
    with ExitStack() as stack:
        servers = {
            version.name: stack.enter_context(
                served(version.library, version.command, work / version.name / "uploads")
            )
            for version in versions
        }
        for port, pid in servers.values():  # what a server remembers, it has after some requests
            load(port, pid, script, args.warm, args.connections)
        for phase in args.phases.split(","):
            for number, (name, (port, pid)) in product(range(args.rounds), servers.items()):
                come_to_rest(pid)
                if phase == "alone":
                    result = load(port, pid, script, args.seconds, args.connections)
                    results[name].alone.append(result)
                    if name != "before":
                        come_to_rest(pid)
                        result = load(port, pid, by_sound, args.seconds, args.connections)
                        results[name].sound.append(result)
                elif phase == "indexing":
                    folder = work / name / "uploads" / f"effects {number}"
                    effects(folder, 100 * args.indexing_seconds)
                    result, files = while_indexing(
                        port, pid, script, folder, args.indexing_seconds, args.connections
                    )
                    results[name].indexing.append(result)
                    results[name].indexed.append(files / args.indexing_seconds)
                    shutil.rmtree(folder)
                else:
                    folder = work / name / f"to upload {number}"
                    effects(folder, args.uploads)
                    results[name].uploads.append(upload(port, folder, f"{number} "))
    return results


def queries_row(what: str, loads: Sequence[Load]) -> list[str]:
    """Return a row of medians over the rounds."""
    numbers = [
        median(getattr(a, name) for a in loads) for name in ("rate", "p50", "p95", "p99", "cpu")
    ]
    errors, requests = sum(a.errors for a in loads), sum(a.requests for a in loads)
    memory = (loads[0].memory[0], loads[-1].memory[1], max(a.memory[2] for a in loads))
    return [
        what,
        *(f"{number:.0f}" for number in numbers),
        f"{errors} of {requests}",
        " / ".join(f"{size:.0f}" for size in memory),
    ]


def show(results: dict[str, Results], uploads: int) -> None:
    """Print the tables, and the ratios of two versions."""
    rows = []
    phases = ("alone", "alone"), ("sound", "by sound alone"), ("indexing", "while indexing")
    for phase, what in phases:
        for name, of in results.items():
            if getattr(of, phase):
                rows.append(queries_row(f"{name}, {what}", getattr(of, phase)))
    header = ["", "requests/s", "p50, ms", "p95, ms", "p99, ms", "CPU, ms", "errors", "memory, MB"]
    measure.table(header, rows)
    print()
    rows = [
        [
            name,
            f"{median(of.uploads):.1f}" if of.uploads else "",
            f"{median(of.indexed):.1f}" if of.indexed else "",
        ]
        for name, of in results.items()
    ]
    measure.table(["", f"{uploads} uploads, s", "files indexed a second under load"], rows)
    if len(results) < 2:
        return
    before, after = results.values()
    ratios = []
    by_sound = Results(alone=after.sound)
    for what, aim, later, figure in (
        ("requests/s alone", "1.1 or more", after, lambda of: [a.rate for a in of.alone]),
        ("the same by sound alone", "1.1 or more", by_sound, lambda of: [a.rate for a in of.alone]),
        ("CPU a request alone", "", after, lambda of: [a.cpu for a in of.alone]),
        ("the same by sound alone", "", by_sound, lambda of: [a.cpu for a in of.alone]),
        ("p95 while indexing", "below 0.5", after, lambda of: [a.p95 for a in of.indexing]),
        ("files indexed a second under load", "", after, lambda of: of.indexed),
        ("time of the uploads", "0.33 or less", after, lambda of: of.uploads),
    ):
        if figure(before):
            ratios.append([what, f"{median(figure(later)) / median(figure(before)):.2f}", aim])
    print()
    measure.table(["after / before", "ratio", "aim"], ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--warm", type=int, default=10, help="seconds before it is measured")
    parser.add_argument("--indexing-seconds", type=int, default=120)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1, help="turns of each version")
    parser.add_argument("--phases", default="alone,indexing,uploads", help="what to measure")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another version")
    parser.add_argument("--libraries", type=Path, help="where libraries are kept between runs")
    args = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt install wrk")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        checkouts = {"before": args.against} if args.against else {}
        checkouts["after" if args.against else "this"] = Path(__file__).parents[2]
        versions = []
        for name, checkout in checkouts.items():
            version = Version(name, checkout.resolve(), work / name / "library")
            made = (args.libraries or work) / f"{name} {args.windows}"
            if not made.exists():
                sounds = ("--sounds", str(args.windows // 4), "--windows", "4")
                version.run("scripts.bench.make_library", *sounds, "-L", made)
            shutil.copytree(made, version.library)
            versions.append(version)
        with (SAMPLES / "queries.csv").open(encoding="utf-8", newline="") as file:
            words = ", ".join(f'"{row["query"]}"' for row in csv.DictReader(file))
        for script, more in (("ask.lua", ""), ("ask by sound.lua", "&match=sound")):
            (work / script).write_text(SCRIPT % (words, more), encoding="utf-8")
        print(measure.machine())
        show(measured(versions, work, args), args.uploads)


if __name__ == "__main__":
    main()
