"""Augmentation with torch alone: gain, time shift, other sounds behind, noise.

Windows are (n, samples) float32, full scale at 1, on any device. Each window draws from a generator
of its own, so that what it gets depends on the seed, the epoch and the sound, never on the batch
size or on where a run was stopped.
"""

from __future__ import annotations

import numpy as np
import torch

# Chances and ranges: mild, since the caption must still be true.
GAIN_DB = (-12.0, 6.0)
NOISE_CHANCE = 0.3
NOISE_DB = (15.0, 40.0)
BEHIND_CHANCE = 0.3
BEHIND_DB = (12.0, 25.0)


def augment(
    windows: torch.Tensor, others: torch.Tensor, generators: list[np.random.Generator]
) -> torch.Tensor:
    """Return windows shifted, louder or softer, some with another sound or noise behind them.

    `others` (n, samples) are the sounds that may lie behind, as far as possible not of the batch.
    """
    rows = []
    for window, other, rng in zip(windows, others, generators, strict=True):
        row = torch.roll(window, int(rng.integers(len(window))))
        # Every window draws the same number of values, so that chances do not shift later draws.
        behind, noisy = rng.random() < BEHIND_CHANCE, rng.random() < NOISE_CHANCE
        behind_db, noise_db = rng.uniform(*BEHIND_DB), rng.uniform(*NOISE_DB)
        turn, tilt = int(rng.integers(len(window))), rng.uniform(0.0, 1.0)
        gain = 10.0 ** (rng.uniform(*GAIN_DB) / 20.0)
        if behind:
            row = row + _below(torch.roll(other, turn), row, behind_db)
        if noisy:
            hiss = torch.from_numpy(_noise(len(row), tilt, rng)).to(row.device)
            row = row + _below(hiss, row, noise_db)
        rows.append(row * gain)
    return torch.stack(rows)


def _below(other: torch.Tensor, window: torch.Tensor, decibels: float) -> torch.Tensor:
    """`other` at so many decibels below the level of `window`; nothing of a silent one."""
    level = window.square().mean().sqrt()
    own = other.square().mean().sqrt()
    factor = level * 10.0 ** (-decibels / 20.0) / own.clamp_min(1e-9)
    return other * torch.where(own > 1e-9, factor, torch.zeros_like(factor))


def _noise(size: int, tilt: float, rng: np.random.Generator) -> np.ndarray:
    """(size,) float32: noise whose power falls as 1 / f ** tilt, from white to pink."""
    spectrum = np.fft.rfft(rng.standard_normal(size).astype(np.float32))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1.0) ** (tilt / 2)
    return np.fft.irfft(spectrum, size).astype(np.float32)
