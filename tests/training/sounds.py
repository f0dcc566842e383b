"""Small sounds and a small checkpoint to train with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from audiosearch.training.pairs import Pair, Pairs

RATE = 16_000
KINDS = ("a low tone", "a high tone", "noise", "slow clicks")


def write(path: Path, kind: int, number: int, seconds: float = 1.0) -> Path:
    """A sound of a kind, a little unlike each other one."""
    rng = np.random.default_rng(number)
    time = np.arange(round(seconds * RATE)) / RATE
    waves = (
        lambda: np.sin(2 * np.pi * rng.uniform(150, 250) * time),
        lambda: np.sin(2 * np.pi * rng.uniform(2500, 3500) * time),
        lambda: rng.normal(0, 0.5, len(time)),
        lambda: ((time * rng.uniform(6, 9)) % 1 < 0.02) * 1.0,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.3 * waves[kind]() + rng.normal(0, 1e-3, len(time)), RATE)
    return path


def pairs(folder: Path, count: int = 32, seconds: float = 1.0) -> Pairs:
    """`count` sounds of four kinds, each a group of its own."""
    made = []
    for i in range(count):
        path = write(folder / f"звук {i}.wav", i % 4, i, seconds)
        made.append(Pair(path, (KINDS[i % 4], f"{KINDS[i % 4]} again"), str(i)))
    return Pairs(tuple(made), ())
