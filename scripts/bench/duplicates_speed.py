"""How fast duplicates are found in large libraries, and in how much memory.

`python -m scripts.bench.duplicates_speed --sounds 25000,50000,100000` makes a library of synthetic
vectors (`scripts.bench.make_library`, 5 s each) with synthetic fingerprints of 5 s in its catalog,
and plants a copy of every fiftieth sound: its vector turned by 8 degrees, a fifth of the values of
its fingerprint changed. No sound is decoded there: this is the time of a second run, and of a first
run without its decoding. All sounds are equally long, so lengths rule no pair out. Each size runs in
a process of its own. The decoding is measured apart, on sample_library, in one process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sqlalchemy import insert, select

from audiosearch import Library
from audiosearch.audio.fingerprint import HOP_SECONDS, VERSION, Fingerprint, fingerprint_file
from audiosearch.catalog import database
from audiosearch.catalog.fingerprints import fingerprints
from audiosearch.catalog.schema import contents, embeddings
from audiosearch.duplicates.finding import DuplicateProgress
from audiosearch.vectors.codec import from_blobs, to_blob, unit
from scripts.bench.make_library import SAMPLES, make
from scripts.bench.measure import machine

EVERY = 50
FRAMES = round(5 / HOP_SECONDS)
_BATCH = 2_000


def _values(seed: int) -> np.ndarray:
    # As unevenly spread as those of real sounds: most changes are small.
    drawn = np.random.default_rng(seed).laplace(0, 1.5, (FRAMES, 16))
    return np.clip(np.rint(drawn), -7, 7).astype(np.int8)


def _stored(values: np.ndarray) -> bytes:
    return Fingerprint(values, np.full(FRAMES, 120, np.uint8)).to_bytes()


def plant(directory: Path, first: int, count: int) -> None:
    """Give the contents from number `first` on their fingerprints; every fiftieth becomes a copy of
    the one before it.
    """
    engine = database.writer(directory)
    try:
        with engine.connect() as connection:
            query = (
                select(embeddings.c.content_id, embeddings.c.mean)
                .join(contents)
                .order_by(embeddings.c.content_id)
                .offset(first)
                .limit(count)
            )
            rows = [(row.content_id, row.mean) for row in connection.execute(query)]
        for begin in range(0, len(rows), _BATCH):
            with engine.begin() as connection:
                prints = []
                for place in range(begin, min(begin + _BATCH, len(rows))):
                    content_id, _ = rows[place]
                    values = _values(content_id)
                    if place % EVERY == EVERY - 1:
                        values = _copy(values, rows[place - 1][0])
                        turned = _turned(rows[place - 1][1], content_id)
                        connection.execute(
                            embeddings.update()
                            .where(embeddings.c.content_id == content_id)
                            .values(mean=turned)
                        )
                    prints.append(
                        {"content_id": content_id, "version": VERSION, "data": _stored(values)}
                    )
                connection.execute(insert(fingerprints), prints)
    finally:
        engine.dispose()


def _copy(own: np.ndarray, original: int) -> np.ndarray:
    changed = np.random.default_rng([original, 1]).random(own.shape) < 0.2
    return np.where(changed, own, _values(original))


def _turned(blob: bytes, seed: int) -> bytes:
    (vector,) = unit(from_blobs([blob], (len(blob) - 4) // 2))
    noise = unit(np.random.default_rng(seed).normal(size=vector.shape))
    return to_blob(unit(vector + 0.14 * noise))


def measure(directory: Path) -> None:
    """Print, as JSON, what one search for duplicates costs, and what it found."""
    began, last = time.perf_counter(), "open"
    stages: dict[str, float] = {}
    pairs = 0

    def note(progress: DuplicateProgress) -> None:
        nonlocal began, last, pairs
        if progress.stage == "compare":
            pairs = progress.total
        if progress.stage != last:
            now = time.perf_counter()
            stages[last] = now - began
            began, last = now, progress.stage

    with Library.open(directory) as library:
        groups = library.duplicates(on_progress=note)
    stages[last] = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    right = sum(
        [int(Path(sound.path).name.split()[0]) // 2 for sound in group.sounds]
        == [int(Path(group.sounds[0].path).name.split()[0]) // 2] * len(group.sounds)
        for group in groups
    )
    print(
        json.dumps(
            {
                "stages": stages,
                "cpu": used.ru_utime + used.ru_stime,
                "peak": used.ru_maxrss / 1024,
                "pairs": pairs,
                "groups": len(groups),
                "right": right,
            }
        )
    )


def rows(sizes: list[int], folder: Path) -> Iterator[str]:
    directory, before = folder / "library", 0
    yield "  sounds  planted  found  wrong    pairs  vectors s  compare s  CPU s  peak MB"
    for size in sizes:
        make(directory, size - before, 1, first=before)
        plant(directory, before, size - before)
        before = size
        command = [sys.executable, "-m", "scripts.bench.duplicates_speed", "--measure"]
        command.append(str(directory))
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        got = json.loads(run.stdout)
        stages = got["stages"]
        yield (
            f"{size:8}  {size // EVERY:7}  {got['right']:5}  {got['groups'] - got['right']:5}  "
            f"{got['pairs']:7}  "
            f"{stages['propose']:9.1f}  {stages.get('compare', 0):9.1f}  {got['cpu']:5.0f}  "
            f"{got['peak']:7.0f}"
        )
    yield _decoding()


def _decoding() -> str:
    files = [p for p in SAMPLES.rglob("*") if p.suffix in (".wav", ".flac", ".ogg", ".mp3")]
    began, seconds, size = time.process_time(), 0.0, 0
    for file in files:
        made = fingerprint_file(file)
        seconds += made.seconds
        size += len(made.to_bytes())
    used = time.process_time() - began
    return (
        f"decoding, one process: {1000 * used / len(files):.1f} ms of CPU a sound of "
        f"{seconds / len(files):.1f} s, {seconds / used:.0f} times realtime; "
        f"{size / seconds:.0f} bytes are kept for each second"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sounds", default="25000,50000,100000")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure)
        return
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for line in rows([int(size) for size in args.sounds.split(",")], Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
