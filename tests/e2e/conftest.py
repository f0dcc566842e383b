"""The installed command, run as a user runs it: another process, another directory, a clean home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosearch import Library
from tests.libraries import moved

COMMAND = Path(sysconfig.get_path("scripts")) / "audiosearch"
SAMPLES = Path(__file__).parents[2] / "sample_library"


@dataclass(frozen=True)
class Ran:
    """What a command gave; `out` and `err` as bytes, for paths are bytes."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def talk(self) -> str:
        return self.err.decode()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Shell:
    """Runs `audiosearch` with `home` as home and current directory, and `library` as default."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.library = home / "library"
        self.through: list[str] = []  # a program that runs the command
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AUDIOSEARCH", "XDG"))},
            "HOME": str(home),
            "COLUMNS": "80",
        }

    def __call__(
        self, *args: str | bytes | Path, library: bool = True, code: int | None = 0
    ) -> Ran:
        """Run a command. `library`: with `-L` after its name. `code`: the exit code it must have."""
        command, *rest = args
        where: list[str | bytes | Path] = ["-L", self.library] if library else []
        done = subprocess.run(
            [*self.through, COMMAND, command, *where, *rest],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        assert b"Traceback" not in ran.err, ran.talk
        assert b"defect of audiosearch" not in ran.err, ran.talk
        if code is not None:
            assert ran.code == code, ran.talk
        return ran

    def sounds(self) -> dict[str, dict[str, Any]]:
        """What a search for anything finds, by file name. Without a process of its own, for many tests
        only want to know what there is.
        """
        with Library.open(self.library) as library:
            anything = np.full(library.model.bundle.dimension, 0.1, np.float32)
            hits = library.search(anything, k=1000)
        return {Path(hit.path).name: asdict(hit) for hit in hits}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def sample_shell(tmp_path_factory: pytest.TempPathFactory, sample_directory: Path) -> Shell:
    """A library of sample_library, to be read only."""
    shell = Shell(tmp_path_factory.mktemp("samples"))
    shutil.copytree(sample_directory, shell.library)
    return shell


Indexed = Callable[..., Path]


@pytest.fixture(scope="session")
def _indexed_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Shell]:
    made: dict[tuple[object, ...], Shell] = {}

    def make(folder: str, names: Sequence[str], rate: int) -> Shell:
        key = (folder, tuple(names), rate)
        if key not in made:
            made[key] = shell = Shell(tmp_path_factory.mktemp("indexed"))
            for name in names:
                write(shell.home / folder / name, rate=rate)
            assert f"{len(names)} added" in shell("index", shell.home / folder).talk
        return made[key]

    return make


@pytest.fixture
def indexed(shell: Shell, _indexed_once: Callable[..., Shell]) -> Indexed:
    """`indexed("in", ["a.wav"])`: a folder of these sounds in the home of `shell`, whose library holds
    it. The command indexes it once a session; each test has a copy.
    """

    def copy(folder: str, names: Sequence[str], rate: int = 32_000) -> Path:
        original = _indexed_once(folder, names, rate)
        shutil.copytree(original.home / folder, shell.home / folder)
        moved(original.library, shell.library, root=shell.home / folder)
        return shell.home / folder

    return copy


def tone(hz: float = 440.0, seconds: float = 1.0, rate: int = 32_000, level: float = 0.3) -> Any:
    """(samples,) float32: a sine."""
    samples = level * np.sin(2 * np.pi * hz / rate * np.arange(round(seconds * rate)))
    return samples.astype(np.float32)


def write(path: Path | bytes, samples: Any = None, rate: int = 32_000, **options: Any) -> None:
    """Write a sound; by default 32,000 samples of noise that is this path's own."""
    raw = os.fsencode(path)
    os.makedirs(os.path.dirname(raw), exist_ok=True)  # noqa: PTH103, PTH120 (bytes)
    if samples is None:
        seed = int.from_bytes(raw[-8:], "little")
        samples = np.random.default_rng(seed).normal(0, 0.1, 32_000).astype(np.float32)
    soundfile.write(raw, samples, rate, **options)
