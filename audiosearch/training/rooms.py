"""Augmentation with torchaudio, on the training device: rooms, filters, speed and pitch.

Windows are (samples,) float32 at `rate` Hz; the length stays. Each function imports torchaudio, which
`rooms_check` has found to be of one build with torch.
"""

from __future__ import annotations

import numpy as np
import torch

SPEEDS = (0.9, 1.1)
SEMITONES = (-2, 2)
# Seconds until a room's sound has fallen by 60 dB: from a furnished room to a hall.
REVERBERATION = (0.15, 1.2)


def vary(window: torch.Tensor, rate: int, rng: np.random.Generator) -> torch.Tensor:
    """Return the window at another speed or pitch, through a filter, in a room: each by chance."""
    draws = rng.random(4)
    factor, steps = rng.uniform(*SPEEDS), int(rng.integers(SEMITONES[0], SEMITONES[1] + 1))
    corner, seconds = rng.uniform(0.0, 1.0), rng.uniform(*REVERBERATION)
    if draws[0] < 0.3:
        window = at_speed(window, rate, factor)
    elif draws[0] < 0.4 and steps:
        window = at_pitch(window, rate, steps)
    if draws[1] < 0.4:
        window = filtered(window, rate, draws[2], corner)
    if draws[3] < 0.3:
        window = in_room(window, rate, seconds, rng)
    return window


def at_speed(window: torch.Tensor, rate: int, factor: float) -> torch.Tensor:
    """Faster (above 1) or slower, with its pitch; repeated or cut to the same length."""
    from torchaudio.functional import resample

    # Whole numbers with few prime factors: the kernel's size grows with what they have not in common.
    changed = resample(window, round(100 * factor), 100)
    return _fitted(changed, len(window))


def at_pitch(window: torch.Tensor, rate: int, steps: int) -> torch.Tensor:
    """Higher or lower by semitones, as long as before.

    torchaudio's own `pitch_shift` resamples between rates that have no factor in common, which takes
    3 GB and minutes; here the ratio is rounded to hundredths, 1 % at most.
    """
    from torchaudio.functional import phase_vocoder, resample

    ratio = round(100 * 2 ** (steps / 12)) / 100
    size, hop = 1024, 256
    hann = torch.hann_window(size, device=window.device)
    spectrum = torch.stft(window, size, hop, window=hann, return_complex=True)
    advance = torch.linspace(0, torch.pi * hop, size // 2 + 1, device=window.device)[:, None]
    longer = phase_vocoder(spectrum, 1 / ratio, advance)
    samples = torch.istft(longer, size, hop, window=hann, length=round(len(window) * ratio))
    return _fitted(resample(samples, round(100 * ratio), 100), len(window))


def filtered(window: torch.Tensor, rate: int, kind: float, corner: float) -> torch.Tensor:
    """Through a high-pass (`kind` below a third), a low-pass or a bump, at a `corner` from 0 to 1."""
    from torchaudio.functional import equalizer_biquad, highpass_biquad, lowpass_biquad

    if kind < 1 / 3:
        return highpass_biquad(window, rate, 50.0 * 10.0**corner)
    if kind < 2 / 3:
        return lowpass_biquad(window, rate, 0.05 * rate * 8.0**corner)
    return equalizer_biquad(window, rate, 100.0 * 40.0**corner, 12.0 * (kind - 5 / 6) * 6)


def in_room(
    window: torch.Tensor, rate: int, seconds: float, rng: np.random.Generator
) -> torch.Tensor:
    """In a room whose sound falls by 60 dB in so many seconds, at the level of before.

    The room is noise that falls exponentially, behind the direct sound (Moorer 1979).
    """
    from torchaudio.functional import fftconvolve

    size = round(rate * seconds)
    tail = rng.standard_normal(size) * 10.0 ** (-3.0 * np.arange(size) / size)
    tail *= 0.5 / np.sqrt((tail**2).sum())
    tail[0] += 1.0
    room = torch.from_numpy(tail.astype(np.float32)).to(window.device)
    heard = fftconvolve(window, room)[: len(window)]
    level = window.square().mean().sqrt() / heard.square().mean().sqrt().clamp_min(1e-9)
    return heard * level


def _fitted(window: torch.Tensor, size: int) -> torch.Tensor:
    return window.repeat(1 + size // max(len(window), 1))[:size]
