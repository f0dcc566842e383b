"""Waiting for an event: never for a time, for no machine is as fast as another."""

from __future__ import annotations

import os
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
        assert process is None or process.poll() is None, "it ended before what was waited for"
        time.sleep(0.005)


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
