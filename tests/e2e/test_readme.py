"""README does what it says: its session, its commands, its Python."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import COMMAND, SAMPLES, Shell
from tests.libraries import moved
from tests.serving import free_port, running

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(name: str) -> list[str]:
    """The code blocks that follow a comment of that name."""
    return re.findall(rf"<!-- {name} -->\n```\w*\n(.*?)```", README, re.DOTALL)


def shape(text: str) -> list[str]:
    """Lines without what differs from machine to machine: figures, and the order of close hits."""
    lines = [re.sub(r"\d+(\.\d+)?", "0", line) for line in text.splitlines()]
    return [" ".join(line.split()) for line in lines]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, sample_directory: Path) -> Shell:
    """A user in a directory that holds sample_library and, after the first command, a library of it."""
    shell = Shell(tmp_path_factory.mktemp("user"))
    (shell.home / "sample_library").symlink_to(SAMPLES)
    moved(sample_directory, shell.home / "demo.library", root=shell.home / "sample_library")
    shell.environment["AUDIOSEARCH_LIBRARY"] = str(shell.home / "demo.library")
    shell.environment["PATH"] = f"{COMMAND.parent}:{shell.environment['PATH']}"
    return shell


def run(user: Shell, line: str) -> str:
    """Run a line in a shell, as a user does; both streams as the terminal shows them."""
    done = subprocess.run(
        line,
        shell=True,
        cwd=user.home,
        env=user.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}"
    return done.stdout


def test_session(user: Shell) -> None:
    """Each command of the session prints what README shows, but for figures."""
    shutil.rmtree(user.home / "demo.library")  # the session makes it anew
    (session,) = blocks("session")
    for part in session.split("$ ")[1:]:
        command, _, expected = part.partition("\n")
        assert shlex.split(command)[0] == "audiosearch"
        found = run(user, command).replace(str(user.home), "/home/you")
        assert shape(found) == shape(expected), command


def test_commands(user: Shell) -> None:
    (commands,) = blocks("commands")
    for line in commands.splitlines():
        assert run(user, line).strip(), line


def test_python(user: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(user.home)
    printed = []
    for code in blocks("python"):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, "README.md", "exec"), {})
        printed.append(said.getvalue())
    assert "campfire.ogg " in printed[0].splitlines()[0]
    assert printed[1].startswith("asset-2 Camp ")


def test_commands_that_install(user: Shell) -> None:
    """The two commands name what is there: `.ci/run` runs them themselves."""
    (first,), (second,) = blocks("first command"), blocks("second command")
    assert 'query -L demo.library "campfire crackling"' in first
    extras = re.findall(r"\[([\w,]+)\]", second)[0].split(",")
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    for extra in extras:
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_http(user: Shell) -> None:
    port = free_port()
    (said,) = blocks("serve command")
    install, serve = said.split(" && ")
    assert install.endswith(" '.[serve]'")
    command = [COMMAND, *shlex.split(serve)[1:], "--port", str(port)]
    with running(command, port, cwd=user.home, env=user.environment):
        (lines,) = blocks("http")
        lines = lines.replace("\\\n", "").replace("8321", str(port)).replace("curl", "curl -sf")
        by_text, mixed, part = lines.splitlines()
        assert "campfire.ogg" in run(user, by_text)
        assert len(json.loads(run(user, mixed))["hits"]) == 3
        run(user, part)
        assert 0 < (user.home / "part").stat().st_size <= 100_000
