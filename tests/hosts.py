"""Two hosts on one machine, by Linux's namespaces: each has a network interface, processes, mounts and
a name of its own. They share the files of this machine until something is mounted over them, and
`ray stop` on one of them stops what runs there.

    with two_hosts(folder) as (head, other):       # names in their network, and addresses behind them
        start_ray(head, other, IMPATIENT)
        other.run("mount", "-t", "tmpfs", "none", "/mnt/sounds")
        other.pull_cable()

It needs root, util-linux and iproute2; `ImpossibleHosts` says what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

_NAMESPACES = ("--net", "--pid", "--mount", "--uts", "--ipc")
_TOOLS = ("unshare", "nsenter", "ip", "mount", "hostname")
_RAY = Path("/tmp/ray")
_SMALL = ("--num-cpus", "1", "--object-store-memory", str(100 << 20))
# Ray's settings for seconds of patience with a host that does not answer: that of the head with a node,
# and that of a node, and of whoever uses the cluster, with the head. They are those of docs/scale.md.
IMPATIENT = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_grpc_client_keepalive_time_ms": "10000",
    "RAY_grpc_client_keepalive_timeout_ms": "5000",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
}
Argument = str | Path


class ImpossibleHosts(Exception):
    """This machine does not allow it; the message says why."""


class Host:
    """A host. `home` is the home directory of its user, `environment` that of its programs."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.home = home
        home.mkdir()
        scripts = sysconfig.get_path("scripts")
        self.environment = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("AUDIOSEARCH", "XDG", "RAY"))
            },
            "HOME": str(home),
            "PATH": f"{scripts}:{os.environ['PATH']}",
        }
        # Its first process is the parent of orphans: SIGCHLD is ignored, so none stays a zombie.
        first = ["env", "--ignore-signal=CHLD", "sleep", "infinity"]
        self._unshare = subprocess.Popen(
            ["unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc", *first],
            stderr=subprocess.PIPE,
        )
        try:
            wait_until(lambda: self._first() is not None, self._unshare)
        except AssertionError:
            assert self._unshare.stderr
            raise ImpossibleHosts(self._unshare.stderr.read().decode().strip()) from None
        self.pid = self._first() or 0
        self.run("hostname", name)
        # Ray keeps its sockets there, and the address that `auto` means.
        _RAY.mkdir(exist_ok=True)
        (home / "ray").mkdir()
        self.run("mount", "--bind", home / "ray", _RAY)

    def _first(self) -> int | None:
        parent = self._unshare.pid
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text() == "sleep\n":
                return int(child)
        return None

    def start(
        self,
        *command: Argument,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[str]:
        """Start a program on this host; its stdout and stderr are pipes."""
        into = ["nsenter", "--target", str(self.pid), *_NAMESPACES, f"--wd={folder or self.home}"]
        return subprocess.Popen(
            [*into, *command],
            env={**self.environment, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(
        self, *command: Argument, code: int | None = 0, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; `code` is the exit code that it must have."""
        process = self.start(*command, **options)
        out, err = process.communicate()
        assert code is None or process.returncode == code, f"{command}\n{out}{err}"
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def processes(self, name: str = "") -> dict[int, str]:
        """The processes on this host, by their id on this machine, whose command line holds `name`."""
        space = os.readlink(f"/proc/{self.pid}/ns/pid")  # noqa: PTH115 (no path)
        rows = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "ns" / "pid") == space:  # noqa: PTH115
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    rows[int(folder.name)] = line
            except OSError:
                continue  # it ended meanwhile
        del rows[self.pid]
        return {pid: line for pid, line in rows.items() if line and name in line}

    def join(self) -> None:
        """Make it a node, of one processor, of the cluster on the host `head`."""
        self.run("ray", "start", "--address", "HEAD:6379", *_SMALL)

    def pull_cable(self) -> None:
        """Cut it off from the other host."""
        self.run("ip", "link", "set", "eth0", "down")

    def put_cable_back(self) -> None:
        self.run("ip", "link", "set", "eth0", "up")

    def close(self) -> None:
        """Switch the host off."""
        self._unshare.kill()  # its first process goes with it, and all others with that
        self._unshare.wait()
        assert self._unshare.stderr
        self._unshare.stderr.close()


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts, `head` and `other`, in a network of their own. Raises `ImpossibleHosts`."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        raise ImpossibleHosts(f"it needs root, {', '.join(_TOOLS)}")
    addresses = {"head": "10.77.0.1", "other": "10.77.0.2"}
    names = folder / "etc-hosts"
    lines = [f"{address} {name}\n" for name, address in addresses.items()]
    names.write_text("127.0.0.1 localhost\n" + "".join(lines))
    hosts: list[Host] = []
    try:
        for name in addresses:
            hosts.append(Host(name, folder / name))
        ends = [["eth0", "netns", str(host.pid)] for host in hosts]
        cable = ["ip", "link", "add", *ends[0], "type", "veth", "peer", *ends[1]]
        laid = subprocess.run(cable, capture_output=True, text=True, check=False)
        if laid.returncode:
            raise ImpossibleHosts(laid.stderr.strip())
        for host in hosts:
            host.run("mount", "--bind", names, "/etc/hosts")
            host.run("ip", "address", "add", f"{addresses[host.name]}/24", "dev", "eth0")
            for interface in ("lo", "eth0"):
                host.run("ip", "link", "set", interface, "up")
        yield hosts[0], hosts[1]
    finally:
        for host in hosts:
            host.close()


def start_ray(head: Host, other: Host, settings: Mapping[str, str]) -> None:
    """Make two hosts a Ray cluster with a token, of one processor each."""
    for host in (head, other):
        host.environment |= {"RAY_AUTH_MODE": "token", **settings}
    head.run("ray", "get-auth-token", "--generate")
    shutil.copytree(head.home / ".ray", other.home / ".ray")
    head.run("ray", "start", "--head", "--port", "6379", "--disable-usage-stats", *_SMALL)
    other.join()


def working(host: Host) -> dict[int, str]:
    """The processes of a host that read sounds. Ray's own are not among them: they stay for longer."""
    return host.processes("ray::Reader") | host.processes("indexer.worker")
