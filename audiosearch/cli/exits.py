"""The ends of commands: this module turns each end into an exit code and at most one line on
stderr.

The codes: 0 done, also where the reader of stdout has read enough (`| head`); 1 an error; 2 a wrong
command line; 130 Ctrl-C.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import typer

from audiosearch.cli.streams import TRACEBACK, ReaderGone
from audiosearch.errors import AudioRejected, AudioSearchError
from audiosearch.paths import shown


def exit_code(command: Callable[[], int | None]) -> int:  # noqa: PLR0911 (one for each end)
    """Run `command` and return its exit code. A line on stderr reports an error.

    `command` returns an exit code or nothing.
    """
    try:
        return command() or 0
    except ReaderGone:
        return 0
    except KeyboardInterrupt:
        return 130
    except AudioRejected as error:
        return _failure(f"{shown(error.path)}: {error}" if error.path else str(error))
    except AudioSearchError as error:
        return _failure(str(error))
    except typer.TyperException as error:
        error.show()  # type: ignore[attr-defined]  # every one that Typer raises has it
        return error.exit_code
    except typer.Abort as error:  # Typer turns an EOFError into this
        return _unexpected(error.__cause__ or error)
    except OSError as error:
        return _system(error)
    except SystemExit as error:
        # Typer mistakes any broken pipe for stdout's; `ReaderGone` is stdout's.
        if isinstance(error.__context__, BrokenPipeError):
            return _unexpected(error.__context__)
        raise
    except Exception as error:  # noqa: BLE001 (the last resort of the program)
        return _unexpected(error)


def _failure(message: str) -> int:
    typer.echo(f"audiosearch: error: {message}", err=True)
    return 1


def _system(error: OSError) -> int:
    """Return the line for an unexpected error of the operating system, rarely a defect of the
    program.
    """
    _print_traceback(error)
    reason = error.strerror or str(error)
    if error.filename is not None:
        return _failure(f"{shown(os.fsdecode(error.filename))}: {reason}")
    try:
        Path.cwd()
    except OSError:
        return _failure("the current directory was removed: change to another one")
    return _failure(reason)


def _unexpected(error: BaseException) -> int:
    _print_traceback(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    what = shown(f"{type(error).__name__}{where}: {error}")
    how = f"please report it, with the traceback that {TRACEBACK}=1 shows"
    return _failure(f"{what} (this is a defect of audiosearch; {how})")


def _print_traceback(error: BaseException) -> None:
    if TRACEBACK in os.environ:
        traceback.print_exception(error)
