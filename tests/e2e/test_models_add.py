"""`audiosearch models add` in the base install: a model from a hub, without PyTorch."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from audiosearch.models.known import KNOWN
from tests.e2e.conftest import COMMAND, SAMPLES, Shell
from tests.effort import thorough_only
from tests.hub import Hub, hub, unpack

NAME = "laion/clap-htsat-unfused"
REPOSITORY = KNOWN[NAME].repository
AUDIO = "onnx/audio_model.onnx"


@pytest.fixture
def served(shell: Shell, tmp_path: Path) -> Iterator[Hub]:
    """The stand-in of the hub that `shell` asks; PyTorch and what comes with it cannot be imported."""
    absent = tmp_path / "absent"
    for package in ("torch", "transformers", "onnx"):
        (absent / package).mkdir(parents=True)
        (absent / package / "__init__.py").write_text(f"raise ImportError(name={package!r})")
    with hub() as running:
        running.add(REPOSITORY, unpack(tmp_path / "unpacked") / "micro", KNOWN[NAME].commit)
        shell.environment |= {
            "PYTHONPATH": str(absent),
            "HF_ENDPOINT": running.address,
            "NO_PROXY": "*",
        }
        yield running


@thorough_only
def test_a_model_is_added_indexed_with_and_queried(shell: Shell, served: Hub) -> None:
    added = shell("models", "add", NAME, library=False)
    assert added.out == b""
    assert f"added {NAME} ({KNOWN[NAME].commit[:12]}" in added.talk
    assert f"audiosearch index --model {NAME}" in added.talk.splitlines()[-1]
    shutil.copytree(SAMPLES / "animals", shell.home / "in")
    shell("index", "--model", NAME, shell.home / "in")
    hits = shell("query", "a dog barks", "-k", "3", "--json").objects
    assert len(hits) == 3
    assert hits[0]["end"] - hits[0]["start"] <= 1.0  # of this model's windows
    asked = len(served.log)
    shell("models", "check", NAME, library=False)
    assert len(served.log) == asked  # nobody but `models add` uses the network
    models = shell("models", "list", "--json", library=False).objects
    assert [model["name"] for model in models] == ["mini", NAME]
    assert models[1]["revision"] == KNOWN[NAME].commit


def test_without_a_name_it_lists_what_can_be_had(shell: Shell, served: Hub) -> None:
    ran = shell("models", "add", library=False)
    lines = ran.text.splitlines()
    assert [line.split()[0] for line in lines] == ["model", *KNOWN]
    assert "0.66 GB" in lines[1]
    assert "finer descriptions" in lines[1]
    assert max(map(len, lines)) <= 80
    assert served.log == []
    objects = shell("models", "add", "--json", library=False).objects
    assert [model["name"] for model in objects] == list(KNOWN)


def test_what_cannot_be_had_is_one_line(shell: Shell, served: Hub) -> None:
    served.gated.add(REPOSITORY)
    for source, what in ((NAME, "is gated"), ("owner/x", "no model owner/x"), ("?", "neither")):
        ran = shell("models", "add", source, library=False, code=1)
        (line,) = [part for part in ran.talk.splitlines() if "error" in part]
        assert what in line
    shell.environment["HF_HUB_OFFLINE"] = "1"
    assert "cannot be reached" in shell("models", "add", NAME, library=False, code=1).talk


def test_ctrl_c_keeps_what_came(shell: Shell, served: Hub) -> None:
    """The hub stops in the middle of a file; the user too, and comes back."""
    served.stops[AUDIO] = 100_000
    command: list[str | Path] = [COMMAND, "models", "add", NAME, "--precision", "fp32"]
    with subprocess.Popen(
        command, cwd=shell.home, env=shell.environment, stderr=subprocess.PIPE
    ) as adding:
        assert served.stopped.wait(600)
        adding.send_signal(signal.SIGINT)
        assert adding.stderr is not None
        talk = adding.stderr.read().decode()
    assert adding.returncode == 130
    assert "the same command goes on" in talk.splitlines()[-1]
    assert "Traceback" not in talk
    (part,) = (shell.home / ".cache").rglob("audio.onnx.part")
    kept = part.stat().st_size
    shell("models", "add", NAME, "--precision", "fp32", library=False)
    assert served.asked(AUDIO)[-1].get("Range") == (f"bytes={kept}-" if kept else None)


def test_a_terminal_sees_a_bar(shell: Shell, served: Hub) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    command: list[str | Path] = [COMMAND, "models", "add", NAME, "--precision", "fp32"]
    with subprocess.Popen(command, cwd=shell.home, env=shell.environment, stderr=slave) as adding:
        os.close(slave)
        seen = b""
        try:
            while block := os.read(master, 4096):
                seen += block
        except OSError:  # the other end is closed
            pass
    assert adding.returncode == 0
    assert b"B/s" in seen
    os.close(master)


def test_a_query_does_not_load_the_hubs_client(shell: Shell, served: Hub) -> None:
    shell("models", "add", NAME, "--precision", "fp32", library=False)
    (shell.home / "in").mkdir()
    shutil.copy(SAMPLES / "animals" / "meow.mp3", shell.home / "in")
    shell("index", "--model", NAME, shell.home / "in")
    code = (
        "import sys; from audiosearch import Library\n"
        f"list(Library.open({str(shell.library)!r}).search('rain'))\n"
        "print([name for name in ('huggingface_hub', 'httpx', 'httpx2') if name in sys.modules])"
    )
    python = COMMAND.parent / "python"
    done = subprocess.run(
        [python, "-c", code], env=shell.environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.replace("'", '"')) == []
