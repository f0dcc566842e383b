"""README and the pages of `docs/` do what they say: sessions, commands, Python, HTTP, figures.

`python -m tests.e2e.test_readme` writes what the commands print now into the sessions.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT, Example, named, the_example
from tests.e2e.conftest import COMMAND, SAMPLES, Shell
from tests.effort import thorough_only
from tests.libraries import moved
from tests.serving import free_port, running


def page_of(example: Example) -> str:
    return example.page.stem


def shape(text: str) -> list[str]:
    """Lines without what differs from machine to machine: figures, and the order of close hits."""
    lines = [re.sub(r"\d+(\.\d+)?", "0", line) for line in text.splitlines()]
    return [" ".join(line.split()) for line in lines]


def make_user(home: Path) -> Shell:
    """A user in a directory that holds sample_library."""
    user = Shell(home)
    (home / "sample_library").symlink_to(SAMPLES)
    user.environment["AUDIOSEARCH_LIBRARY"] = str(home / "demo.library")
    user.environment["PATH"] = f"{COMMAND.parent}:{user.environment['PATH']}"
    return user


def run(user: Shell, line: str) -> str:
    """Run a line in a shell, as a user does; both streams as the terminal shows them."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=user.home,
        env=user.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, sample_directory: Path) -> Shell:
    """A user whose demo.library holds sample_library; the pages share it."""
    user = make_user(tmp_path_factory.mktemp("pages"))
    moved(sample_directory, user.home / "demo.library", root=user.home / "sample_library")
    return user


def played(session: Example, home: Path) -> Iterator[tuple[str, str, str]]:
    """Each command of a session, what the page shows, and what it prints."""
    user = make_user(home)
    for part in re.split(r"^\$ ", session.code, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        assert shlex.split(command)[0] == "audiosearch"
        yield command, expected, run(user, command).replace(str(user.home), "/home/you")


@pytest.mark.parametrize(
    "example",
    [
        # The guide's session begins as README's does.
        pytest.param(example, marks=() if page_of(example) == "README" else thorough_only)
        for example in named("session")
    ],
    ids=page_of,
)
def test_session(example: Example, tmp_path: Path) -> None:
    """Each command of a session prints what the page shows, but for figures."""
    for command, expected, printed in played(example, tmp_path):
        assert shape(printed) == shape(expected), command


@pytest.mark.parametrize(
    "example",
    [
        # The pages show commands that tests of their own run.
        pytest.param(example, marks=thorough_only)
        for example in named("commands")
    ],
    ids=page_of,
)
def test_commands(example: Example, indexed: Shell) -> None:
    for line in example.code.splitlines():
        output = run(indexed, line)
        # A list of failures is empty here, as it should be.
        assert output.strip() or "--failed" in line, line


@thorough_only
def test_pipes(indexed: Shell) -> None:
    """The recipes print something, and those that write files write the right number of them."""
    for line in the_example("docs/recipes.md", "pipes").splitlines():
        assert run(indexed, line).strip(), line
    assert len(list((indexed.home / "picked").iterdir())) == 5
    playlist = (indexed.home / "bells.m3u").read_text(encoding="utf-8").splitlines()
    assert len(playlist) == 20
    assert all(Path(line).is_file() for line in playlist)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_ffmpeg(indexed: Shell) -> None:
    import soundfile

    run(indexed, the_example("docs/recipes.md", "ffmpeg"))
    for rank in (1, 2, 3):
        assert 0 < soundfile.info(indexed.home / f"dog-{rank}.wav").duration <= 5.1


def executed(code: str) -> str:
    """What a piece of Python prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "<page>", "exec"), {"__name__": "__main__"})
    return output.getvalue()


def test_python(indexed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(indexed.home)
    examples = named("python", [ROOT / "docs" / "python.md"])
    search, asset_manager = [executed(example.code) for example in examples]
    assert "campfire.ogg " in search.splitlines()[0]
    assert asset_manager.startswith("asset-2 Camp ")


def test_editor_project(indexed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project of the recipe has balanced blocks, and items of files that are there."""
    monkeypatch.chdir(indexed.home)
    assert executed(the_example("docs/recipes.md", "python")) == "5 items\n"
    project = Path("dogs.rpp").read_text(encoding="utf-8").splitlines()
    opened = sum(line.lstrip().startswith("<") for line in project)
    assert opened == sum(line.strip() == ">" for line in project) == 12
    files = [line.split('"')[1] for line in project if line.lstrip().startswith("FILE ")]
    assert len(files) == 5
    assert all(Path(file).is_file() for file in files)


@pytest.mark.parametrize("example", named("long"), ids=lambda e: e.code.split()[2])
def test_commands_that_take_long(example: Example) -> None:
    """A benchmark or a long test is there and takes the options that the page gives it."""
    for line in example.code.splitlines():
        python, module_option, module, *rest = shlex.split(line, comments=True)
        assert (python, module_option) == ("python", "-m")
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for word in rest:
            if word.startswith("--") or word.isalpha():
                assert word in done.stdout, line


@thorough_only
def test_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """The figures of retrieval are those of the model in the package, but for rounding."""
    from scripts.figures import retrieval

    page = the_example("docs/performance.md", "figures").splitlines()
    retrieval()
    measured = [line for line in capsys.readouterr().out.splitlines() if "missed" not in line]
    documented = [line for line in page if "missed" not in line][: len(measured)]
    assert [shape(line) for line in documented] == [shape(line) for line in measured]
    for line, other in zip(documented, measured, strict=True):
        if re.search(r" 0\.\d+$", line):
            value, now = float(line.split()[-1]), float(other.split()[-1])
            assert value == pytest.approx(now, abs=0.03), "python -m scripts.figures prints them"


def test_commands_that_install() -> None:
    """The two commands name what is there: `.ci/run` runs them themselves."""
    first = the_example("README.md", "first command")
    second = the_example("README.md", "second command")
    assert 'query -L demo.library "campfire crackling"' in first
    extras = re.findall(r"\[([\w,]+)\]", second)[0].split(",")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in extras:
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_http(indexed: Shell) -> None:
    port = free_port()
    install, serve = the_example("README.md", "serve command").split(" && ")
    assert install.endswith(" '.[serve]'")
    command = [COMMAND, *shlex.split(serve)[1:], "--port", str(port)]
    with running(command, port, cwd=indexed.home, env=indexed.environment):
        lines = the_example("docs/http.md", "http")
        lines = lines.replace("\\\n", "").replace("8321", str(port)).replace("curl", "curl -sf")
        by_text, mixed, part = lines.splitlines()
        assert "campfire.ogg" in run(indexed, by_text)
        assert len(json.loads(run(indexed, mixed))["hits"]) == 3
        run(indexed, part)
        assert 0 < (indexed.home / "part").stat().st_size <= 100_000


def write_sessions() -> None:
    """Bring the sessions up to date."""
    for example in named("session"):
        with tempfile.TemporaryDirectory() as home:
            parts = [
                # Figures stay: those of another machine are no better.
                f"$ {command}\n{shown if shape(shown) == shape(now) else now}"
                for command, shown, now in played(example, Path(home))
            ]
        text = example.page.read_text(encoding="utf-8")
        example.page.write_text(text.replace(example.code, "".join(parts)), encoding="utf-8")


if __name__ == "__main__":
    write_sessions()
