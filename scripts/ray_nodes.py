"""A Ray cluster of nodes on this machine, for those who know its token. Only its own processes end with
it: `ray stop` would end those of every cluster.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from scripts.processes import tree

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
WORKER = "ray::Reader"


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
            self.end(self.head)
            self.end(self.other)
            self.head = self._start_head()
        if self.other.poll() is not None:
            self.end(self.other)
            self.other = self._start_other()

    def workers(self) -> list[int]:
        """Return the workers of index runs."""
        return named(self.head.pid, WORKER) + named(self.other.pid, WORKER)

    def end(self, node: subprocess.Popen[bytes]) -> None:
        """Kill a node, with all that runs on it."""
        for pid in reversed(tree(node.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.wait()
        assert node.stdout
        node.stdout.close()

    def close(self) -> None:
        """Kill both."""
        self.end(self.other)
        self.end(self.head)
        shutil.rmtree(self.folder, ignore_errors=True)
