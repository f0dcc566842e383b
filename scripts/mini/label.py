"""Label mixtures once with the teacher, for training over many epochs.

`python -m scripts.mini.label --shared ../shared --work DIR --count 120000` fills memory-mapped
arrays in chunks of 64:

    mel        (count, 500, 64)  the student's decibels, a byte of 0.6 dB each
    logits     (count, 527)      of the teacher, float16
    embedding  (count, 384)      of the teacher, float16
    clips      (count, 3)        the sources, int32, and levels: their levels in dB, float16
    state      (count / 64,)     1: a chunk of training clips is done, 2: one of held-out clips

A chunk's seed is its number, every 24th chunk is made of held-out clips alone, and a run takes up
where the last one ended.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from scripts.mini.corpus import open_corpus, split
from scripts.mini.frontend import student_decibels, teacher_features, to_bytes
from scripts.mini.mixtures import make, sampling_weights

CHUNK = 64
HOLD_OUT_EVERY = 24
FRAMES = 500


@dataclass(frozen=True)
class Store:
    """The memory-mapped arrays that the module's docstring lists."""

    mel: np.ndarray
    logits: np.ndarray
    embedding: np.ndarray
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


def label_chunks(shared: Path, work: Path, worker: int, workers: int) -> None:
    """Fill every `workers`-th chunk that is not done."""
    import torch

    from scripts.mini.teacher import load

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    teacher = load(shared)
    clips, samples = open_corpus(work)
    train, test = split(clips, set())
    weights = (sampling_weights(clips, train), sampling_weights(clips, test))
    store = open_store(work)
    begun, made = time.time(), 0
    for chunk in range(worker, len(store.state), workers):
        if store.state[chunk]:
            continue
        hold_out = chunk % HOLD_OUT_EVERY == 0
        rng = np.random.default_rng([2026, chunk])
        rows = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        mixtures = [make(rng, clips, samples, weights[hold_out]) for _ in range(CHUNK)]
        features = np.stack([teacher_features(m.heard) for m in mixtures])[:, None]
        with torch.inference_mode():
            for part in range(0, CHUNK, 16):
                place = slice(rows.start + part, rows.start + part + 16)
                logits, embedding = teacher(torch.from_numpy(features[part : part + 16]))
                store.logits[place], store.embedding[place] = logits.numpy(), embedding.numpy()
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
    args = parser.parse_args()
    open_store(args.work, args.count)
    workers = [
        multiprocessing.Process(
            target=label_chunks, args=(args.shared, args.work, worker, args.processes)
        )
        for worker in range(args.processes)
    ]
    for process in workers:
        process.start()
    for process in workers:
        process.join()


if __name__ == "__main__":
    main()
