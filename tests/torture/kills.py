"""Kill the indexer at random moments, and look at what it left.

A round makes a library in some state, starts a command that writes, sends it a signal after a random
time, and then asks: is the library consistent, does a rerun finish the job, and is the outcome that
of a run that nobody disturbed? Sounds are tiny, so that a run is short and a kill hits every part of
it: scan, decode, commit, cache, exit.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sysconfig
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import soundfile
from sqlalchemy import select

from audiosearch import AudioSearchError, Library
from audiosearch.care.doctor import check
from audiosearch.catalog.schema import contents, embeddings, sounds, windows
from audiosearch.catalog.store import Address, store_at
from tests.waiting import halted, stored_sounds

COMMAND = Path(sysconfig.get_path("scripts")) / "audiosearch"
SOUNDS = 150
ANYTHING = np.full(512, 512**-0.5, np.float32)  # a query that needs no text tower


@dataclass
class Counts:
    """What a number of rounds came to; `faults` says what went wrong, where something did."""

    rounds: int = 0
    hit: int = 0  # the command was still running when the signal came
    faults: list[str] = field(default_factory=list)


def run(*args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *args], capture_output=True, text=True, check=check)


def started(*args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen([COMMAND, *args], stderr=subprocess.PIPE, text=True)


def indexing(
    work: Path, folder: Path, before: Path | None = None
) -> tuple[subprocess.Popen[str], Path]:
    """Return an index run of `SOUNDS` or more that holds the writer's lock and stands still
    (`tests.waiting.halted`), and its library, new in `work`. `before` is a folder that is indexed
    first: making the library takes the lock too.
    """
    libraries = (work / f"library-{number}" for number in count())
    library = work

    def start() -> subprocess.Popen[str]:
        nonlocal library
        library = next(libraries)
        if before:
            run("index", "-L", library, before)
        return started("index", "-L", library, folder)

    def holds_the_lock() -> bool:
        return (library / "writer.json").exists() and stored_sounds(library) < SOUNDS / 2

    return halted(start, holds_the_lock), library


def says(place: Address) -> list[tuple[object, ...]]:
    """Every sound with its vectors to the bit, in order of path, whatever the order it came in."""
    query = (
        select(sounds.c.path, contents.c.hash, embeddings.c.mean)
        .add_columns(windows.c.position, windows.c.start, windows.c.end, windows.c.vector)
        .join_from(sounds, contents)
        .join(embeddings)
        .join(windows, windows.c.content_id == contents.c.id)
        .order_by(sounds.c.path, contents.c.hash, windows.c.position)
    )
    engine = store_at(place).reader()
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    engine.dispose()
    return rows


def inconsistencies(place: Address) -> list[str]:
    """What `audiosearch doctor` calls an error."""
    return [str(finding) for finding in check(place) if finding.level == "error"]


def make_sounds(folder: Path, count: int = SOUNDS, first: int = 0) -> None:
    """Tiny sounds of 8 kHz, all different, some of them broken."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        samples = rng.normal(0, 0.1, 800 + number).astype(np.float32)
        soundfile.write(folder / f"{number:04}.wav", samples, 8_000)
        if number % 40 == 7:
            (folder / f"{number:04}.wav").write_bytes(b"broken")


def change(folder: Path) -> None:
    """What may happen to a folder between two runs."""
    for number in range(0, 30):
        (folder / f"{number:04}.wav").unlink(missing_ok=True)
    for number in range(30, 60):
        (folder / f"{number:04}.wav").rename(folder / f"moved-{number:04}.wav")
    for number in range(60, 80):
        make_sounds(folder, 1, number)  # same content, new time
    make_sounds(folder, 40, 1_000)


@dataclass
class Scenario:
    """A state to start from, and a command that writes."""

    name: str
    library: Path
    folder: Path
    command: list[str | Path]
    finished: list[tuple[object, ...]]


class Rig:
    """The scenarios, prepared once; `play` disturbs one of them."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.seconds: dict[str, float] = {}
        fresh, grown = work / "fresh", work / "grown"
        make_sounds(fresh)
        shutil.copytree(fresh, grown)
        run("index", "-L", work / "of-fresh", fresh)
        # A library of what the folder was, beside the folder as it is now.
        run("index", "-L", work / "of-grown", grown)
        change(grown)
        self.scenarios = [
            self._scenario("index", None, fresh, ["index", fresh]),
            self._scenario("re-index", work / "of-grown", grown, ["index", grown]),
            self._scenario(
                "remove", work / "of-fresh", fresh, ["remove", fresh / "0010.wav", fresh]
            ),
            self._scenario("cache", work / "of-fresh", fresh, ["doctor", "--repair"]),
        ]

    def _start(self, name: str, library: Path | None) -> Path:
        target = self.work / f"try-{name}"
        shutil.rmtree(target, ignore_errors=True)
        if library:
            shutil.copytree(library, target)
        if name == "cache":
            (target / "vectors.faiss").unlink()
        return target

    def _scenario(
        self, name: str, library: Path | None, folder: Path, command: list[str | Path]
    ) -> Scenario:
        target = self._start(name, library)
        verb, *rest = command
        began = time.monotonic()
        run(verb, "-L", target, *rest)
        self.seconds[name] = time.monotonic() - began
        source = library or Path()
        return Scenario(name, source, folder, [verb, "-L", target, *rest], says(target))

    def play(self, rng: random.Random, counts: Counts, number: int = signal.SIGKILL) -> None:
        """One round: start, disturb, look, finish, compare."""
        scenario = rng.choice(self.scenarios)
        target = self._start(scenario.name, scenario.library if scenario.library.name else None)
        process = subprocess.Popen(
            [COMMAND, *scenario.command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        moment = rng.uniform(0, 1.1 * self.seconds[scenario.name])
        if number == signal.SIGINT:  # it is answered once there is a program to answer it
            moment *= 0.7
            while process.poll() is None and not _has_begun(process):
                time.sleep(0.001)
        began = time.monotonic()
        try:
            process.wait(moment)
            # What was measured when the machine stood still is too long for ever.
            self.seconds[scenario.name] = min(self.seconds[scenario.name], time.monotonic() - began)
        except subprocess.TimeoutExpired:
            counts.hit += 1
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
        _, talk = process.communicate()
        counts.rounds += 1
        where = f"{scenario.name} after {moment:.3f} s"
        ends = (0, 130, -number)  # the last: before it began to listen, or after it was done
        if number != signal.SIGKILL and (b"Traceback" in talk or process.returncode not in ends):
            counts.faults.append(f"{where}: exit {process.returncode}: {talk[-300:]!r}")
        if store_at(target).exists():  # it was not killed while it made the library
            counts.faults += [f"{where}: {error}" for error in inconsistencies(target)]
            try:
                with Library.open(target) as library:
                    library.search(ANYTHING, k=999)
            except AudioSearchError as error:
                counts.faults.append(f"{where}: query: {error}")
        verb, *rest = scenario.command
        again = run(verb, *rest, check=False)
        # What is removed already cannot be removed again.
        if again.returncode and scenario.name != "remove":
            counts.faults.append(f"{where}: the rerun: {again.stderr.strip()}")
        if says(target) != scenario.finished:
            counts.faults.append(f"{where}: the outcome differs from that of an undisturbed run")
        if errors := inconsistencies(target):
            counts.faults.append(f"{where}: inconsistent after the rerun: {errors}")


def _has_begun(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a command has opened what the library is read with; Linux alone can tell."""
    maps = Path(f"/proc/{process.pid}/maps")
    return not maps.exists() or b"sqlalchemy" in maps.read_bytes()


def rounds(rig: Rig, count: int, seed: int, number: int = signal.SIGKILL) -> Counts:
    """`count` rounds with one signal, or more, until it has hit a command."""
    rng, counts = random.Random(seed), Counts()
    while counts.rounds < count or not counts.hit:
        rig.play(rng, counts, number)
    return counts
