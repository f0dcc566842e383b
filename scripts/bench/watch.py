"""What it costs to watch folders.

`python -m scripts.bench.watch --files 20000 --idle 60` starts `audiosearch watch` on an empty folder
and makes so many tiny files in it at once, 100 to a folder. They are copies of one sound of 0.1 s,
so that the time is that of finding, reading and storing them; embedding comes on top for sounds
that differ. The script prints the seconds from the last file on until all are in the library, the
seconds until one new sound more is (median and longest of five), the CPU seconds of the watch and
its processes for each, and those of a minute in which nothing happens.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import subprocess
import sysconfig
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import soundfile

from scripts.bench import measure

_EACH = 100
_SINGLE = 5


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process and its children, those that ended included."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if stat.parent.name == str(pid):
            total += sum(map(int, fields[11:15]))
        elif fields[1] == str(pid):
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def sound(seed: int, seconds: float) -> np.ndarray:
    """Return (samples,) float32 of noise at 32 kHz."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, round(32_000 * seconds)).astype(np.float32)


def fill(folder: Path, files: int) -> None:
    """Make so many copies of one sound."""
    soundfile.write(folder / "first.wav", sound(0, 0.1), 32_000)
    data = (folder / "first.wav").read_bytes()
    for number in range(files - 1):
        path = folder / f"{number // _EACH:04}" / f"{number:06}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def timed(process: subprocess.Popen[bytes], library: Path, sounds: int) -> tuple[float, float]:
    """Return the seconds until the library holds so many sounds, and the CPU seconds since then."""
    began, before = time.perf_counter(), cpu(process.pid)
    with closing(sqlite3.connect(f"file:{library}/library.db?mode=ro", uri=True)) as database:
        while (database.execute("SELECT max(id) FROM sounds").fetchone()[0] or 0) < sounds:
            if process.poll() is not None:
                raise SystemExit("the watch ended")
            time.sleep(0.02)
    return time.perf_counter() - began, cpu(process.pid) - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds")
    args = parser.parse_args()
    command = Path(sysconfig.get_path("scripts")) / "audiosearch"
    with tempfile.TemporaryDirectory() as made:
        folder, library = Path(made) / "sounds", Path(made) / "library"
        folder.mkdir()
        watch = [str(command), "watch", "-L", str(library), str(folder)]
        with subprocess.Popen(watch, stderr=subprocess.PIPE) as process:
            assert process.stderr
            process.stderr.readline()  # it watches
            before = cpu(process.pid)
            began = time.perf_counter()
            fill(folder, args.files)
            making = time.perf_counter() - began
            burst, _ = timed(process, library, args.files)
            burst_cpu = cpu(process.pid) - before
            single = []
            for number in range(1, _SINGLE + 1):
                soundfile.write(folder / "0000" / f"new{number}.wav", sound(number, 1.0), 32_000)
                single.append(timed(process, library, args.files + number))
            quiet = cpu(process.pid)
            time.sleep(args.idle)
            idle = (cpu(process.pid) - quiet) * 60 / args.idle
            process.terminate()
    print(measure.machine())
    print(f"{args.files} files of one content, made in {making:.1f} s")
    seconds = [each[0] for each in single]
    rows = [
        ("all of them, from the last one on", f"{burst:.1f} s", f"{burst_cpu:.1f} s"),
        (
            "one new sound more, median (longest)",
            f"{statistics.median(seconds):.1f} s ({max(seconds):.1f})",
            f"{statistics.median(each[1] for each in single):.2f} s",
        ),
        ("a minute in which nothing happens", "", f"{idle:.2f} s"),
    ]
    print(f"{'until it is found':<38}{'time':>16}{'CPU':>12}")
    for name, took, busy in rows:
        print(f"{name:<38}{took:>16}{busy:>12}")


if __name__ == "__main__":
    main()
