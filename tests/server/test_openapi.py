"""The service keeps to its own description: cases that schemathesis makes from `/openapi.json`."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import COMMAND
from tests.effort import thorough_only
from tests.serving import free_port, running

SCHEMATHESIS = shutil.which("schemathesis", path=sysconfig.get_path("scripts"))


@pytest.fixture
def address(directory: Path, tmp_path: Path) -> Iterator[str]:
    """A server that takes uploads, over a copy of the library, for it will be changed."""
    copy = tmp_path / "library"
    shutil.copytree(directory, copy)
    port = free_port()
    command = [COMMAND, "serve", "-L", copy, "--port", str(port), "--uploads", tmp_path / "new"]
    with running(command, port):
        yield f"http://127.0.0.1:{port}"


@thorough_only
@pytest.mark.skipif(SCHEMATHESIS is None, reason="schemathesis is not installed")
def test_what_is_described_is_done(address: str, tmp_path: Path) -> None:
    """No 500, no answer of an undocumented kind, nothing accepted that the description forbids.

    Not checked: that all which the description allows is accepted, since a text must also hold
    words, a filter a date, and a body a sound; and the stream of events, which ends with its job.
    """
    assert SCHEMATHESIS
    # More than a body may hold is refused before anybody looks into it.
    (tmp_path / "schemathesis.toml").write_text(
        "[checks.negative_data_rejection]\n"
        'expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "415", "422"]\n'
        "[checks.not_a_server_error]\n"  # 503: another writer holds the library
        'expected-statuses = ["2xx", "3xx", "4xx", "503"]\n'
    )
    command = [SCHEMATHESIS, "run", f"{address}/openapi.json"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "15"]
    command += ["--exclude-checks", "positive_data_acceptance", "--exclude-path-regex", "events$"]
    command += ["--seed", "7", "--request-timeout", "300", "--no-color"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout[-8_000:]
    assert int(ran.stdout.partition("Test cases:")[2].split()[0]) > 300
