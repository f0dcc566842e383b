"""Kill workers, nodes, the head and the coordinator of an index run on two Ray nodes.

The nodes are processes on this machine that `ray start` makes. A round starts an index run with
`--cluster`, disturbs it once it has stored something, and asks: does it end as it should, does a
rerun finish the job, is every file stored once, and is the outcome to the last bit that of a run on
one machine that nobody disturbed?
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from scripts.figures import tree
from tests.torture import kills
from tests.waiting import stored_sounds, wait_until

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
SOUNDS = 600
WORKER = "ray::Reader"

# It returns the exit code that the command must have.
Disturbance = Callable[["Rig", "subprocess.Popen[str]"], int]


def named(pid: int, name: str) -> list[int]:
    """Return the processes below `pid` whose command line holds a text."""
    rows = []
    for each in tree(pid):
        try:
            if name in Path(f"/proc/{each}/cmdline").read_bytes().decode(errors="replace"):
                rows.append(each)
        except OSError:
            continue  # it ended meanwhile
    return rows


class Nodes:
    """A Ray cluster of two nodes with one processor each, for those who know its token."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nodes-"))  # Ray's sockets need a short path
        self.environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
        }
        self.head, self.other = self._start_head(), self._start_other()

    def _start_head(self) -> subprocess.Popen[bytes]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        quiet = ["--include-dashboard", "false", "--disable-usage-stats"]
        return self._start(["--head", "--port", port, "--temp-dir", str(self.folder), *quiet])

    def _start_other(self) -> subprocess.Popen[bytes]:
        return self._start(["--address", self.address])

    def _start(self, options: list[str]) -> subprocess.Popen[bytes]:
        small = ["--num-cpus", "1", "--object-store-memory", str(100 << 20), "--block"]
        process = subprocess.Popen(
            [*RAY, "start", *options, *small],
            env=self.environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout
        said = b""
        while b"--block" not in said:  # what it prints when the node runs
            line = process.stdout.readline()
            assert line, said.decode(errors="replace")
            said += line
        return process

    def renew(self) -> None:
        """Start what was killed."""
        if self.head.poll() is not None:
            self.other.kill()
            self.other.wait()
            self.head = self._start_head()
        if self.other.poll() is not None:
            self.other = self._start_other()

    def workers(self) -> list[int]:
        """Return the workers of index runs."""
        return named(self.head.pid, WORKER) + named(self.other.pid, WORKER)

    def close(self) -> None:
        for process in (self.other, self.head):
            for pid in reversed(tree(process.pid)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            process.wait()
            assert process.stdout
            process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Rig:
    """Two nodes, a folder of sounds, and what an undisturbed run on one machine makes of it."""

    def __init__(self, work: Path, count: int = SOUNDS) -> None:
        self.work, self.folder, self.count = work, work / "in", count
        kills.make_sounds(self.folder, count)
        kills.run("index", "-L", work / "undisturbed", self.folder)
        self.finished = kills.says(work / "undisturbed")
        self.rounds = 0
        self.nodes = Nodes()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *exception: object) -> None:
        self.nodes.close()

    def start(self, library: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *(kills.COMMAND, "index", "-L", library, self.folder),
                *("--cluster", self.nodes.address),
            ],
            env=self.nodes.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def play(self, disturb: Disturbance, after: int = 70) -> list[str]:
        """One round, disturbed once so many files are stored. Return what went wrong."""
        self.rounds += 1
        library = self.work / f"round-{self.rounds}"
        process = self.start(library)
        wait_until(lambda: stored_sounds(library) >= after, process)
        expected = disturb(self, process)
        _, talk = process.communicate()
        faults = []
        if process.returncode != expected or "Traceback" in talk:
            faults.append(f"exit {process.returncode} in place of {expected}: {talk[-500:]}")
        if expected == 1 and "was lost" not in talk:
            faults.append(f"no clear line: {talk[-500:]}")
        wait_until(lambda: not self.nodes.workers())  # whatever happened, they end with their run
        faults += [f"before the rerun: {error}" for error in kills.inconsistencies(library)]
        if expected == 0:
            faults += self._differences(library)
        self.nodes.renew()
        again = self.start(library)
        _, talk = again.communicate()
        if again.returncode:
            faults.append(f"the rerun: exit {again.returncode}: {talk[-500:]}")
        faults += self._differences(library)
        shutil.rmtree(library)
        return faults

    def _differences(self, library: Path) -> list[str]:
        faults = list(kills.inconsistencies(library))
        with closing(sqlite3.connect(f"file:{library}/library.db?mode=ro", uri=True)) as database:
            (rows,) = database.execute("SELECT count(*) FROM sounds").fetchone()
            kinds = database.execute("SELECT DISTINCT kind FROM failures").fetchall()
        if rows != self.count:
            faults.append(f"{rows} sounds in place of {self.count}")
        if ("hung",) in kinds:
            faults.append("a good file is a failure")
        if kills.says(library) != self.finished:
            faults.append("the outcome differs from that of an undisturbed run on one machine")
        return faults


def worker(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Kill a worker."""
    os.kill(random.choice(rig.nodes.workers()), signal.SIGKILL)
    return 0


def node(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Kill the node that is not the head, with all that runs on it."""
    for pid in reversed(tree(rig.nodes.other.pid)):
        os.kill(pid, signal.SIGKILL)
    rig.nodes.other.wait()
    return 0


def interrupt(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Press Ctrl-C."""
    process.send_signal(signal.SIGINT)
    return 130


def coordinator(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Kill the command."""
    process.kill()
    return -signal.SIGKILL


def head(rig: Rig, process: subprocess.Popen[str]) -> int:
    """Kill the head node, and with it the cluster."""
    for pid in reversed(tree(rig.nodes.head.pid)):
        os.kill(pid, signal.SIGKILL)
    rig.nodes.head.wait()
    return 1


DISTURBANCES = (worker, node, interrupt, coordinator, head)
