"""`audiosearch watch` as a user, or systemd, runs it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.documents import named
from tests.e2e.conftest import COMMAND, Shell, tone, write
from tests.effort import thorough_only

pytest.importorskip("watchfiles")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 0), pytest.param(signal.SIGINT, 130, marks=thorough_only)],
)
def test_watch(shell: Shell, number: int, code: int) -> None:
    folder = shell.home / "neue Töne"
    write(folder / "a.wav", tone(300, 0.2))
    command = [str(COMMAND), "watch", "-L", str(shell.library), str(folder), "--json"]
    command += ["--settle", "0.2"]
    with subprocess.Popen(
        command, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        assert (first["kind"], first["folders"]) == ("watching", [str(folder)])
        assert (second["summary"]["added"], second["paths"]) == (1, [str(folder / "a.wav")])
        write(folder / "b.wav", tone(500, 0.2))
        third = json.loads(process.stdout.readline())
        assert third["text"].startswith("1 added in ")
        process.send_signal(number)
        talk = process.stderr.read().decode()
    assert process.returncode == code, talk
    assert "Traceback" not in talk
    assert talk.splitlines()[-1] == "ended: what is done is kept"
    assert set(shell.sounds()) == {"a.wav", "b.wav"}


def test_what_cannot_be_watched(shell: Shell) -> None:
    ran = shell("watch", "nonsuch", code=1)
    assert ran.talk.startswith("audiosearch: error: there is no folder")
    assert ran.talk.count("\n") == 1
    assert not shell.library.exists()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not there")
def test_the_unit_file(tmp_path: Path) -> None:
    """The unit of the guide is one that systemd takes."""
    (example,) = named("unit")
    unit = tmp_path / "audiosearch-watch.service"
    unit.write_text(example.code.replace("%h/.local/bin/audiosearch", str(COMMAND)))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--user", unit],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
