"""What all tests share: their environment, the profiles of hypothesis, a library of sample_library."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest
from hypothesis import settings

from tests.effort import tries

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


@pytest.fixture(scope="session")
def sample_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of sample_library, to be read or copied only."""
    directory = tmp_path_factory.mktemp("sample") / "library"
    command = Path(sysconfig.get_path("scripts")) / "audiosearch"
    samples = Path(__file__).parents[1] / "sample_library"
    subprocess.run([command, "index", "-L", directory, samples], check=True, capture_output=True)
    return directory
