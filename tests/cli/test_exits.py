"""How a command ends: exit codes, and the one line on stderr."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import typer

from audiosearch.cli.exits import exit_code
from audiosearch.cli.streams import ReaderGone
from audiosearch.errors import InvalidQuery


def raising(error: BaseException) -> Callable[[], int | None]:
    def command() -> int | None:
        raise error

    return command


def broken_pipe_of_a_child() -> int | None:
    """What Typer makes of any broken pipe."""
    try:
        raise BrokenPipeError(32, "Broken pipe")
    except OSError:
        raise SystemExit(1)  # noqa: B904 (as Typer does)


@pytest.mark.parametrize(
    ("command", "code", "line"),
    [
        (lambda: None, 0, ""),
        (lambda: 130, 130, ""),
        (raising(ReaderGone()), 0, ""),
        (raising(KeyboardInterrupt()), 130, ""),
        (raising(InvalidQuery("k must be at least 1")), 1, "k must be at least 1"),
        (raising(OSError(28, "No space left on device", b"a\xff")), 1, r"a\xff: No space left"),
        (raising(typer.BadParameter("no")), 2, ""),
        (raising(ValueError("a\nb")), 1, r"ValueError at test_exits.py:"),
        (broken_pipe_of_a_child, 1, "BrokenPipeError"),
    ],
)
def test_end(
    command: Callable[[], int | None], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(command) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    if code == 1:
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("audiosearch: error: ")
        assert line in captured.err
    elif code != 2:
        assert captured.err == ""


def test_a_defect_says_how_to_report_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exit_code(raising(ZeroDivisionError("by 0")))
    plain = capsys.readouterr().err
    assert "please report it" in plain
    assert "AUDIOSEARCH_TRACEBACK=1" in plain
    monkeypatch.setenv("AUDIOSEARCH_TRACEBACK", "1")
    exit_code(raising(ZeroDivisionError("by 0")))
    full = capsys.readouterr().err
    assert "Traceback (most recent call last)" in full
    assert full.endswith(plain)


def test_system_exit_passes() -> None:
    with pytest.raises(SystemExit):
        exit_code(raising(SystemExit(3)))


CLOSING = """
import atexit, os, signal, sys
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
sys.argv = ["audiosearch", "--version"]
from audiosearch.cli import main
main()
"""


def test_interrupt_after_the_end_is_not_heard() -> None:
    ran = subprocess.run([sys.executable, "-c", CLOSING], capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
