"""Waiting for an event: never for a time, for no machine is as fast as another."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any


def wait_until(event: Callable[[], object], process: subprocess.Popen[Any] | None = None) -> None:
    """Return once `event()` is true. Fails where `process` ends before; what never comes is ended by the
    test's own limit.
    """
    while not event():
        if process is not None and process.poll() is not None:
            assert event(), (
                "it ended before what was waited for"
            )  # it may have come just before the end
            return
        time.sleep(0.005)


def halted(
    start: Callable[[], subprocess.Popen[Any]], state: Callable[[], object]
) -> subprocess.Popen[Any]:
    """Return a process that `start` made and that stands still, until it is sent SIGCONT, while `state()`
    is true. Whoever looks too late, on a busy machine, finds it further or done: it is started again.
    """
    while True:
        process = start()
        while process.poll() is None and not state():
            time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)
        what = os.WSTOPPED | os.WEXITED | os.WNOWAIT
        if process.poll() is None:
            os.waitid(os.P_PID, process.pid, what)
        if process.poll() is None and state():
            return process
        process.send_signal(signal.SIGCONT)
        _, talk = process.communicate()
        assert process.returncode == 0, talk


def stored_sounds(library: Path | str) -> int:
    """Return the number of committed sounds of a library, or 0 while it does not exist."""
    if os.environ.get("AUDIOSEARCH_TEST_STORE") == "postgres" or isinstance(library, str):
        return _by_store(library)
    try:
        with closing(sqlite3.connect(f"file:{library}/library.db?mode=ro", uri=True)) as database:
            (count,) = database.execute("SELECT count(*) FROM sounds").fetchone()
    except sqlite3.OperationalError:
        return 0
    return int(count)


def _by_store(library: Path | str) -> int:
    from sqlalchemy import text

    from audiosearch.catalog.store import store_at
    from audiosearch.errors import LibraryNotFound

    try:
        engine = store_at(library).reader()
    except LibraryNotFound:
        return 0
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM sounds")).scalar_one()
    engine.dispose()
    return int(count)
