"""What all tests share: their environment, the profiles of hypothesis, a library of sample_library."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.effort import tries
from tests.folders_in_postgres import finder

pytest_plugins = ("tests.postgres_server",)

# The tests start hundreds of processes: one that may not keep its bytecode compiles every import, which
# is more than half of its time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell that runs the tests in the background has them ignore Ctrl-C, and what they start as well.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: a busy machine is no fault of the code.
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile("thorough" if tries(0, 1) else "quick")


# `AUDIOSEARCH_TEST_STORE=postgres` runs the tests over PostgreSQL: see tests/folders_in_postgres.
OVER_POSTGRES = os.environ.get("AUDIOSEARCH_TEST_STORE", "sqlite") == "postgres"
if OVER_POSTGRES:
    finder.install()
    os.environ["PYTHONPATH"] = os.path.dirname(finder.__file__)  # noqa: PTH120 (for the commands)
_server = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sqlite(reason): is about SQLite, its file or the cache beside it"
    )
    started_by_another = getattr(config.option, "numprocesses", None) and not hasattr(
        config, "workerinput"
    )
    if OVER_POSTGRES and not started_by_another:
        from tests.postgres_server import empty_database, running_server

        given = os.environ.get("AUDIOSEARCH_TEST_POSTGRES")
        server = given or _server.enter_context(running_server())
        os.environ["FOLDERS_IN_POSTGRES"] = _server.enter_context(empty_database(server))


def pytest_unconfigure() -> None:
    _server.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    mark = item.get_closest_marker("sqlite")
    if OVER_POSTGRES and mark:
        pytest.skip(f"over PostgreSQL: {mark.args[0]}")


@pytest.fixture(scope="session")
def sample_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of sample_library, to be read or copied only."""
    directory = tmp_path_factory.mktemp("sample") / "library"
    command = Path(sysconfig.get_path("scripts")) / "audiosearch"
    samples = Path(__file__).parents[1] / "sample_library"
    subprocess.run([command, "index", "-L", directory, samples], check=True, capture_output=True)
    return directory
