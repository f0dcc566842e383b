"""What runs below audiosearch reports to nobody."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.conftest import SAMPLES, Shell

# What ONNX Runtime's telemetry leaves in the home and in the folder of temporary files.
TRACES = {".ses", "deviceid", "onnxruntime.db"}


def bare(home: Path) -> dict[str, str]:
    """An environment in which telemetry is on: it is off in tests and on servers that build."""
    temporary = home / "tmp"
    temporary.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary)}


def names(home: Path) -> set[str]:
    return {path.name for path in home.rglob("*")}


def test_commands_report_nothing(shell: Shell) -> None:
    shell.environment = bare(shell.home)
    shell("index", SAMPLES / "fire")
    shell("query", "campfire crackling")
    assert "library.db" in names(shell.home)
    assert not TRACES & names(shell.home)
