"""Label mixtures once with the teacher, for training over many epochs.

`python -m scripts.mini.label --shared ../shared --work DIR --count 120000` fills memory-mapped
arrays in chunks of 64:

    mel        (count, 500, 64)  the student's decibels, a byte of 0.6 dB each
    logits     (count, 527)      of the teacher, float16
    embedding  (count, 384)      of the teacher, float16
    middle     (count, 48, 4, 16) and late (count, 384, 2, 8): maps inside the teacher, float8 (bytes)
    clips      (count, 3)        the sources, int32, and levels: their levels in dB, float16
    state      (count / 64,)     1: a chunk of training clips is done, 2: one of held-out clips

A chunk's seed is its number and `--seed`, every 24th chunk is made of held-out clips alone (the same
ones whatever the seed, so that runs can be compared), and a run takes up where the last one ended.
`--afresh` gives a store that was trained on other mixtures: a student remembers those it has seen.
`--favour 20000 0.45` draws 45 % of the sources from the clips numbered 20000 and up, `--bodies 0.15`
sends that share of them through a piece of another clip; neither changes the hold-out.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scripts.mini.corpus import Clip, open_corpus, read_groups, split
from scripts.mini.frontend import student_decibels, teacher_features, to_bytes
from scripts.mini.mixtures import favoured, make, sampling_weights

if TYPE_CHECKING:
    import torch

CHUNK = 64
HOLD_OUT_EVERY = 24
SEED = 2026
FRAMES = 500
MIDDLE = (48, 4, 16)  # channels, frequency, time: a cell of the map is 16 bands by 0.31 s
LATE = (384, 2, 8)


@dataclass(frozen=True)
class Store:
    """The memory-mapped arrays that the module's docstring lists."""

    mel: np.ndarray
    logits: np.ndarray
    embedding: np.ndarray
    middle: np.ndarray
    late: np.ndarray
    clips: np.ndarray
    levels: np.ndarray
    state: np.ndarray

    def rows(self, state: int) -> np.ndarray:
        """Numbers of the mixtures that are done: 1 for training, 2 for hold-out."""
        chunks = np.flatnonzero(np.asarray(self.state) == state)
        return (chunks[:, None] * CHUNK + np.arange(CHUNK)).ravel()


def open_store(work: Path, count: int | None = None) -> Store:
    """The store in `work`; with `count`, created if it is not there (sparse files: only what is
    labelled takes space)."""
    shapes = {
        "mel": (np.uint8, (FRAMES, 64)),
        "logits": (np.float16, (527,)),
        "embedding": (np.float16, (384,)),
        "middle": (np.uint8, MIDDLE),
        "late": (np.uint8, LATE),
        "clips": (np.int32, (3,)),
        "levels": (np.float16, (3,)),
        "state": (np.uint8, ()),
    }
    arrays = {}
    for name, (kind, shape) in shapes.items():
        path = work / f"label.{name}"
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        if count is not None and not path.exists():
            length = size * (count // CHUNK if name == "state" else count)
            with path.open("wb") as stream:
                stream.truncate(length)
        rows = path.stat().st_size // size
        arrays[name] = np.memmap(path, kind, "r+", shape=(rows, *shape))
    return Store(**arrays)


def in_memory(store: Store) -> Store:
    """The store read into memory, once and in order.

    Picking rows at random from a mapped file is slow wherever the kernel drops its pages.
    """
    return Store(**{field.name: np.array(getattr(store, field.name)) for field in fields(store)})


def halves(x: torch.Tensor) -> np.ndarray:
    """As float16."""
    import torch

    return x.to(torch.float16).numpy()


def eighths(x: torch.Tensor) -> np.ndarray:
    """Averaged over 2 x 2 cells, as the bytes of float8 (three bits of mantissa)."""
    import torch

    return torch.nn.functional.avg_pool2d(x, 2).to(torch.float8_e4m3fn).view(torch.uint8).numpy()


def number_of(clip: Clip) -> int:
    """The number in the name of its file, `audio/20031.ogg`."""
    return int(Path(clip.file).stem)


def label_chunks(args: argparse.Namespace, worker: int, excluded: set[str]) -> None:
    """Fill every chunk of `worker` that is not done."""
    import torch

    from scripts.mini.teacher import load_quick

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    teacher, kind = load_quick(args.shared)
    clips, samples = open_corpus(args.work)
    train, test = split(clips, excluded)
    weights = [sampling_weights(clips, train), sampling_weights(clips, test)]
    if args.favour:
        chosen = np.array([number_of(clip) >= args.favour[0] for clip in clips])
        weights[0] = favoured(weights[0], chosen, args.favour[1])
    store = open_store(args.work)
    begun, made = time.time(), 0
    for chunk in range(worker, len(store.state), args.processes):
        if store.state[chunk]:
            continue
        hold_out = chunk % HOLD_OUT_EVERY == 0
        rng = np.random.default_rng([SEED if hold_out else args.seed, chunk])
        bodies = 0.0 if hold_out else args.bodies
        rows = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        mixtures = [make(rng, clips, samples, weights[hold_out], bodies) for _ in range(CHUNK)]
        features = np.stack([teacher_features(m.heard) for m in mixtures])[:, None]
        with torch.inference_mode():
            for part in range(0, CHUNK, 16):
                place = slice(rows.start + part, rows.start + part + 16)
                heard = torch.from_numpy(features[part : part + 16]).to(kind)
                logits, embedding, middle, late = teacher.maps(heard)
                store.logits[place], store.embedding[place] = halves(logits), halves(embedding)
                store.middle[place], store.late[place] = eighths(middle), eighths(late)
        store.mel[rows] = [to_bytes(student_decibels(m.student)) for m in mixtures]
        store.clips[rows] = [m.clips for m in mixtures]
        store.levels[rows] = [m.levels for m in mixtures]
        store.state[chunk] = 2 if hold_out else 1
        made += CHUNK
        if chunk % 64 == worker:
            rate = made / (time.time() - begun)
            print(f"worker {worker}: chunk {chunk}, {rate:.0f} a second", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--afresh", action="store_true", help="make all for training again")
    parser.add_argument("--favour", type=float, nargs=2, help="first number of clips, their share")
    parser.add_argument("--bodies", type=float, default=0.0, help="share of sources, see above")
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups kept out")
    args = parser.parse_args()
    store = open_store(args.work, args.count)
    if args.afresh:
        store.state[store.state == 1] = 0
    excluded: set[str] = set().union(*(read_groups(path) for path in args.exclude))
    workers = [
        multiprocessing.Process(
            target=label_chunks,
            args=(args, worker, excluded),
        )
        for worker in range(args.processes)
    ]
    for process in workers:
        process.start()
    for process in workers:
        process.join()


if __name__ == "__main__":
    main()
