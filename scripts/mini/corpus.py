"""The training corpus: which clips may be heard, which are held out, and their samples on disk.

`python -m scripts.mini.corpus --shared ../shared --work DIR` decodes every clip once to 32 kHz mono
int16 (peak at -1 dBFS) in one memory-mapped file. What is trained on is decided later, by `split`,
so that an exclusion never needs a new decode.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import multiprocessing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

RATE = 32_000
PEAK = 0.89 * 32767  # -1 dBFS: leaves room for the rounding to int16
LONGEST = 60 * RATE  # the corpus has no longer clips; a guard against a wrong file
HOLD_OUT = 0.08


@dataclass(frozen=True)
class Clip:
    """One clip: `start` and `length` in samples of the decoded file; `family` joins groups that
    share a recording."""

    file: str
    caption: str
    tags: str
    group: str
    family: str
    start: int
    length: int


def families(rows: list[dict[str, str]]) -> list[str]:
    """A name for each row such that rows of one group, or of one Freesound recording, share it
    (union-find)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for row in rows:
        for tag in row["tags"].split(";"):
            if tag.startswith("freesound:"):
                parent[root(tag)] = root("group:" + row["group"])
    return [root("group:" + row["group"]) for row in rows]


def held_out(family: str) -> bool:
    """Whether a family belongs to the hold-out: by hash, so that the split does not depend on the
    rest of the corpus."""
    digest = hashlib.blake2b(family.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < HOLD_OUT * 2**32


def read_groups(path: Path) -> set[str]:
    """Groups named in a text file, one a line, or in the `group` column of a csv."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as stream:
            return {row["group"] for row in csv.DictReader(stream) if row.get("group")}
    return {line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}


def split(clips: list[Clip], excluded: set[str]) -> tuple[np.ndarray, np.ndarray]:
    """(training, hold-out) clip indices; a family with any excluded group is in neither."""
    banned = {clip.family for clip in clips if clip.group in excluded}
    train = [i for i, c in enumerate(clips) if c.family not in banned and not held_out(c.family)]
    test = [i for i, c in enumerate(clips) if c.family not in banned and held_out(c.family)]
    return np.array(train), np.array(test)


def decode(path: Path) -> np.ndarray:
    """A file as mono int16 at 32 kHz with its peak at -1 dBFS."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE)
    mono = mono[:LONGEST]
    peak = np.abs(mono).max(initial=1e-9)
    return np.round(mono * (PEAK / peak)).astype(np.int16)


def open_corpus(work: Path) -> tuple[list[Clip], np.ndarray]:
    """The clips and the memory-mapped int16 samples of all of them, end to end."""
    clips = [Clip(**row) for row in json.loads((work / "clips.json").read_text(encoding="utf-8"))]
    return clips, np.memmap(work / "corpus.i16", np.int16, "r")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    root = args.shared / "data" / "corpus"
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    clips: list[Clip] = []
    start = 0
    with (
        multiprocessing.Pool(args.processes) as pool,
        (args.work / "corpus.i16").open("wb") as samples,
    ):
        decoded = pool.imap(decode, [root / row["file"] for row in rows], chunksize=32)
        for row, family, pcm in zip(rows, families(rows), decoded, strict=True):
            samples.write(pcm.tobytes())
            facts = {key: row[key] for key in ("file", "caption", "tags", "group")}
            clips.append(Clip(**facts, family=family, start=start, length=len(pcm)))
            start += len(pcm)
    text = json.dumps([asdict(clip) for clip in clips])
    (args.work / "clips.json").write_text(text, encoding="utf-8")
    train, test = split(clips, set())
    print(
        f"{len(clips)} clips, {start / RATE / 3600:.2f} h; {len(train)} train, {len(test)} held out"
    )


if __name__ == "__main__":
    main()
