"""The playing of a stretch of a file, with a player that the machine has."""

from __future__ import annotations

import shutil
import subprocess
import sys

import typer

from audiosearch.errors import AudioSearchError

# Each player has a name, and arguments with places for the start, the length (both in seconds) and
# the file. The first installed player plays.
_PLAYERS = (
    (
        "mpv",
        ["--no-video", "--really-quiet", "--start={start}", "--length={length}", "--", "{file}"],
    ),
    (
        "ffplay",
        [
            "-nodisp",
            "-autoexit",
            "-loglevel",
            "quiet",
            "-ss",
            "{start}",
            "-t",
            "{length}",
            "{file}",
        ],
    ),
    ("play", ["-q", "{file}", "trim", "{start}", "{length}"]),
    ("cvlc", ["--play-and-exit", "--start-time={start}", "--run-time={length}", "{file}"]),
    ("afplay", ["{file}"]),
)


def play(path: str, start: float, end: float) -> None:
    """Play a file from `start` to `end` seconds. Raises `AudioSearchError` where no player is
    installed.
    """
    for name, arguments in _PLAYERS:
        player = shutil.which(name)
        if player:
            values = {"start": f"{start:.3f}", "length": f"{end - start:.3f}", "file": path}
            typer.echo(f"playing {start:.1f}-{end:.1f} s with {name}", err=True)
            done = subprocess.run(
                [player, *(part.format(**values) for part in arguments)],
                stderr=sys.stderr,
                check=False,
            )
            if done.returncode:
                raise AudioSearchError(f"{name} could not play {path}")
            return
    names = ", ".join(name for name, _ in _PLAYERS)
    raise AudioSearchError(f"no player is installed: install one of {names}")
