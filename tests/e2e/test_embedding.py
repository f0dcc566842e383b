"""docs/embedding.md, followed literally."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import COMMAND, SAMPLES, Shell
from tests.effort import thorough_only
from tests.serving import free_port, running

PAGE = (Path(__file__).parents[2] / "docs" / "embedding.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The code block that follows a comment of that name."""
    (found,) = re.findall(rf"<!-- {name} -->\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The home of the one server that these tests share."""
    return Shell(tmp_path_factory.mktemp("embedding"))


@pytest.fixture(scope="module")
def port(shell: Shell) -> Iterator[int]:
    """The server of the page's first block, on a port that is free."""
    (shell.home / "sample_library").symlink_to(SAMPLES)
    shell.environment["PATH"] = f"{COMMAND.parent}:{shell.environment['PATH']}"
    port = free_port()
    install, index, serve = block("start").replace("8321", str(port)).splitlines()
    assert install.startswith("pip install '.[serve]' ")
    subprocess.run(index, shell=True, cwd=shell.home, env=shell.environment, check=True)
    command = ["sh", "-c", f"exec {serve}"]
    with running(command, port, cwd=shell.home, env=shell.environment):
        yield port


def run(shell: Shell, command: list[str], code: str, port: int) -> list[str]:
    done = subprocess.run(
        command,
        input=code.replace("8321", str(port)),
        cwd=shell.home,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@thorough_only
def test_python_and_backfill(shell: Shell, port: int) -> None:
    state, first, *_ = lines = run(shell, [sys.executable, "-"], block("python"), port)
    assert state == "done []"
    assert first.startswith("asset-1 ")
    assert lines[2] == "audio/ogg True"
    with (shell.home / "catalogue.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "external_id", "metadata"])
        rows.writerow([shell.home / "sample_library/fire/campfire.ogg", "A-1", '{"rights": "all"}'])
        rows.writerow(["/nowhere.wav", "A-2", ""])
    (said,) = run(shell, [sys.executable, "-"], block("backfill"), port)
    assert said == "1 described; not in the library: ['/nowhere.wav']"
    address = f"http://127.0.0.1:{port}/v1/sounds"
    (found,) = httpx.get(address, params={"external_id": "A-1"}, timeout=600).json()["sounds"]
    assert found["metadata"] == {"rights": "all"}


@thorough_only
def test_ingest(shell: Shell, port: int) -> None:
    lines = run(shell, [sys.executable, "-"], block("ingest"), port)
    assert lines == [
        "done 1",
        "[('asset-6', 'there is no such file')]",
        "asset-5 ewe.mp3 2",
        "True",
        "0 done",
    ]


def test_a_copy(shell: Shell, port: int) -> None:
    lines = run(shell, [sys.executable, "-"], block("copy"), port)
    assert lines == ["True", "[('changed', 'asset-2')]", "{'rights': 'own'}", "412", "1"]


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_javascript(shell: Shell, port: int) -> None:
    found = run(shell, ["node", "--input-type=module", "-"], block("javascript"), port)
    assert found == ["campfire.ogg 3", "true 11", "true"]


def generate(shell: Shell, lines: list[str], tools: Path) -> None:
    """Run the lines that make a client, with `tools` first in the path; skip where its generator
    cannot be had.
    """
    path = f"{tools}:{shell.environment['PATH']}"
    for line in lines:
        # How packages are reached is in the home of who runs the tests.
        home = os.environ["HOME"] if " install " in line else str(shell.home)
        ran = subprocess.run(
            line,
            shell=True,
            cwd=shell.home,
            env=shell.environment | {"HOME": home, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode and re.match(r"(pip|npm) install openapi", line):
            pytest.skip(f"{line.split()[2]} cannot be installed: {ran.stderr[-300:]}")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        for gap in ("WARNING parsing", "ERROR", "omitted"):
            assert gap not in ran.stdout + ran.stderr, ran.stdout + ran.stderr


@thorough_only
def test_a_generated_python_client(shell: Shell, port: int) -> None:
    made = shell.home / "made"
    subprocess.run([sys.executable, "-m", "venv", made], check=True)
    python = str(made / "bin" / "python")
    lines = block("generate python").replace("8321", str(port)).splitlines()
    generate(shell, lines, made / "bin")
    code = block("generated python")
    assert run(shell, [python, "-"], code, port) == [
        "done []",
        "[('asset-3', {'rights': 'own'})]",
        "[('changed', 'asset-3')]",
        "True",
        "sound-not-found",
    ]
    (shell.home / "use.py").write_text(code)
    check = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "use.py"]
    run(shell, check, "", port)


@thorough_only
@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_a_generated_typescript_client(shell: Shell, port: int) -> None:
    *lines, check, start = block("generate typescript").replace("8321", str(port)).splitlines()
    generate(shell, lines, Path("/usr/bin"))
    use = block("generated typescript").replace("8321", str(port))
    (shell.home / "use.mts").write_text(use)
    run(shell, ["sh", "-c", check], "", port)
    assert run(shell, ["sh", "-c", start], "", port) == [
        "done []",
        "asset-4 { rights: 'own' } true",
        "[ [ 'changed', 'asset-4' ] ]",
        "204",
        "sound-not-found",
    ]
    # A name that the description does not know is the compiler's error.
    (shell.home / "use.mts").write_text(use.replace("hit.external_id", "hit.externalId"))
    with pytest.raises(AssertionError, match="externalId"):
        run(shell, ["sh", "-c", check], "", port)


@thorough_only
def test_keys(shell: Shell, port: int) -> None:
    for line in block("keys").splitlines():
        done = subprocess.run(
            line, shell=True, cwd=shell.home, env=shell.environment, capture_output=True, check=True
        )
    scopes = [line.split()[0] for line in done.stdout.decode().splitlines()]
    assert scopes == ["write", "read"]  # by name
