"""Integrated loudness by ITU-R BS.1770-4, and the sample peak, of a stream of blocks.

Blocks are (frames, channels) float32, full scale at 1. Loudness is in LUFS, the peak in dBFS. The
channels count as the recommendation has it; what it does not name (quadraphony, the tracks of a
field recorder) counts once each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# A sine of 997 Hz at full scale in one channel has -3.01 LUFS.
_OFFSET = -0.691

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0

# Gating blocks take 400 ms and begin every 100 ms.
_STEPS_OF_BLOCK = 4

# In the order of wav files: left, right, centre, LFE, surrounds. A surround is 1.5 dB louder.
_SURROUND = 1.41
_WEIGHTS = {
    5: (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    6: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
    # The two at the back count once, those at the sides are surrounds.
    8: (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, _SURROUND, _SURROUND),
}

# The filter is recursive, which numpy is not. So it is written as products of matrices: samples in
# rows of 32, rows in groups of 16, and such groups in groups again. A loop is left from frame to
# frame.
_ROW = 32
_GROUP = 16
_FRAME = _ROW * _GROUP * _GROUP

# More at once than this is slower: the processor's cache is left.
_SLICE = 4 * _FRAME

# In the part of a second after it, next to nothing is left of what the filter heard.
_SETTLED = 10


@dataclass(frozen=True)
class Loudness:
    """`integrated` in LUFS, `None` for what is shorter than 400 ms or silent; `peak` in dBFS,
    `None` where every sample is zero."""

    integrated: float | None = None
    peak: float | None = None


class LoudnessMeter:
    """Measures the blocks that it is given. The rate and the number of channels may change."""

    def __init__(self) -> None:
        self._kind = 0, 0
        self._peak = 0.0
        self._steps: list[np.ndarray] = []
        self._start()

    def _start(self) -> None:
        channels = self._kind[1]
        self._rest = np.empty((0, channels), np.float32)
        self._states = np.zeros((channels, 4))
        self._weights = np.array(_WEIGHTS.get(channels, (1.0,) * channels))
        self._position = 0  # in frames, of what was filtered
        self._begun = 0.0  # the energy of the step that is not complete

    def add(self, block: np.ndarray, rate: int) -> None:
        """Take the next block."""
        if not len(block):
            return
        self._peak = max(self._peak, float(block.max()), -float(block.min()))
        if self._kind != (rate, block.shape[1]):
            self._finish()
            self._kind = rate, block.shape[1]
            self._start()
        whole = np.concatenate([self._rest, block]) if len(self._rest) else block
        ready = len(whole) // _FRAME * _FRAME
        self._rest = whole[ready:].copy()
        for start in range(0, ready, _SLICE):
            part = whole[start : min(start + _SLICE, ready)]
            self._filter(part, len(part))

    def _finish(self) -> None:
        left = len(self._rest)
        if left:
            padded = np.zeros((-(-left // _FRAME) * _FRAME, self._kind[1]), np.float32)
            padded[:left] = self._rest
            self._filter(padded, left)

    def _filter(self, block: np.ndarray, frames: int) -> None:
        """Add the energy of a block, a multiple of `_FRAME`, of which `frames` frames count."""
        rate = self._kind[0]
        weighted, self._states = _matrices(rate).apply(np.ascontiguousarray(block.T), self._states)
        energy = np.square(weighted, out=weighted)[:, :frames]
        first = self._position
        self._position += frames
        # Steps of 100 ms end here; what a block before left of one is in `begun`.
        numbers = np.arange(first * 10 // rate, self._position * 10 // rate + 2)
        ends = numbers * rate // 10
        ends = ends[(ends > first) & (ends <= self._position)] - first
        starts = np.concatenate([[0], ends[ends < frames]])
        sums = np.add.reduceat(energy, starts, axis=1).T @ self._weights
        sums[0] += self._begun
        self._begun = float(sums[-1]) if len(sums) > len(ends) else 0.0
        self._steps.append(sums[: len(ends)] / (rate / 10))

    def result(self) -> Loudness:
        """What was measured; to be called once, at the end."""
        self._finish()
        peak = 20 * math.log10(self._peak) if self._peak > 0 else None
        steps = np.concatenate(self._steps) if self._steps else np.empty(0)
        return Loudness(integrated(steps), peak)


def integrated(steps: np.ndarray) -> float | None:
    """The gated loudness (LUFS) of the weighted mean energies of steps of 100 ms, (n,)."""
    if len(steps) < _STEPS_OF_BLOCK:
        return None
    blocks = np.convolve(steps, np.full(_STEPS_OF_BLOCK, 1 / _STEPS_OF_BLOCK), "valid")
    loud = blocks[blocks > _energy(_ABSOLUTE_GATE)]
    if not len(loud):
        return None
    gate = _energy(_lufs(float(loud.mean())) + _RELATIVE_GATE)
    return _lufs(float(loud[loud > gate].mean()))


def _lufs(energy: float) -> float:
    return _OFFSET + 10 * math.log10(energy)


def _energy(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET) / 10))


@dataclass(frozen=True)
class _Section:
    """A filter of the second order as a step from state (2,) to state: ``next = over @ state +
    entry * sample``, and ``filtered = out @ state + straight * sample``."""

    over: np.ndarray
    entry: np.ndarray
    out: np.ndarray
    straight: float


def _section(
    rate: int, frequency: float, quality: float, numerator: tuple[float, float, float]
) -> _Section:
    """The bilinear transform of (n2 s^2 + n1 s + n0) / (s^2 + s / quality + 1), s in units of the
    frequency (Hz). Its states are those of two integrators, which are exact at any rate."""
    g, k = math.tan(math.pi * min(frequency / rate, 0.49)), 1 / quality
    a1 = 1 / (1 + g * (g + k))
    a2, a3 = g * a1, g * g * a1
    band, band_entry = np.array([a1, -a2]), a2
    low, low_entry = np.array([a2, 1 - a3]), a3
    n2, n1, n0 = numerator
    # What passes above is the sample without the other two.
    out = n2 * (-k * band - low) + n1 * band + n0 * low
    straight = n2 * (1 - k * band_entry - low_entry) + n1 * band_entry + n0 * low_entry
    over = 2 * np.array([band, low]) - np.eye(2)
    return _Section(over, np.array([2 * band_entry, 2 * low_entry]), out, straight)


def k_weighting(rate: int) -> tuple[_Section, _Section]:
    """The two filters at a rate in Hz: a shelf for the head, and a high pass. At 48 kHz they are
    those in the recommendation's tables."""
    gain, quality = 10 ** (3.999843853973347 / 20), 0.7071752369554196
    middle = gain**0.4996667741545416 / quality
    shelf = _section(rate, 1681.974450955533, quality, (gain, middle, 1.0))
    frequency, quality = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * frequency / rate)
    # The tables leave its numerator at 1, -2, 1.
    return shelf, _section(rate, frequency, quality, (1 + k / quality + k * k, 0.0, 0.0))


@dataclass(frozen=True)
class _Group:
    """A step ``state @ step + own`` as matrices for a group of steps at once.

    `among` (group x 4, group x 4): what the steps of a group bring, to the states before each of
    them; `from_first` (4, group x 4): the state before the group, to the same.
    """

    step: np.ndarray
    among: np.ndarray
    from_first: np.ndarray
    over_group: np.ndarray


def _group(step: np.ndarray) -> _Group:
    onward = [np.linalg.matrix_power(step, i) for i in range(_GROUP + 1)]
    among = np.zeros((_GROUP, 4, _GROUP, 4), np.float32)
    for source in range(_GROUP):
        for target in range(source + 1, _GROUP):
            among[source, :, target] = onward[target - 1 - source]
    from_first = np.concatenate(onward[:-1], axis=1).astype(np.float32)
    size = _GROUP * 4
    return _Group(step.astype(np.float32), among.reshape(size, size), from_first, onward[-1])


@dataclass(frozen=True)
class _Matrices:
    """The filter as matrices. A state (4,) is what the filter will still give without input, in
    coordinates of its own: `tail` (4, row) turns it into samples without loss.

    `inside` (row, row): samples to filtered ones; `entering` (row, 4): to the state behind them;
    `groups`: from row to row, and from group to group.
    """

    inside: np.ndarray
    entering: np.ndarray
    tail: np.ndarray
    groups: tuple[_Group, _Group]

    def apply(self, samples: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The filtered samples (channels, n), n a multiple of `_FRAME`, and the states (channels, 4)
        behind them."""
        channels = len(samples)
        rows = samples.reshape(-1, _ROW)
        filtered = rows @ self.inside
        before, behind = _states(rows @ self.entering, states, self.groups)
        filtered += before @ self.tail
        return filtered.reshape(channels, -1), behind


def _states(
    own: np.ndarray, states: np.ndarray, groups: tuple[_Group, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The states before each step, (channels x steps, 4), and those behind the last (channels, 4).

    `own` (channels x steps, 4) is what each step brings, `states` (channels, 4) what comes before.
    """
    group, *outer = groups
    grouped = own.reshape(-1, _GROUP * 4)
    inner = grouped @ group.among
    behind = inner[:, -4:] @ group.step + grouped[:, -4:]
    if outer:
        first, states = _states(behind, states, tuple(outer))
    else:
        by_channel = behind.reshape(len(states), -1, 4)
        before = np.empty(by_channel.shape)
        for number in range(by_channel.shape[1]):
            before[:, number] = states
            states = states @ group.over_group + by_channel[:, number]
        first = before.reshape(-1, 4).astype(np.float32)
    inner += first @ group.from_first
    return inner.reshape(-1, 4), states


@lru_cache(maxsize=8)
def _matrices(rate: int) -> _Matrices:
    one, two = k_weighting(rate)
    over = np.zeros((4, 4))
    over[:2, :2], over[2:, 2:] = one.over, two.over
    over[2:, :2] = np.outer(two.entry, one.out)
    entry = np.concatenate([one.entry, two.entry * one.straight])
    out = np.concatenate([two.straight * one.out, two.out])
    seen = out[None]
    while len(seen) < rate / _SETTLED:
        seen = np.concatenate([seen, seen @ np.linalg.matrix_power(over, len(seen))])
    answer = np.concatenate([[one.straight * two.straight], seen[: _ROW - 1] @ entry])
    lag = np.subtract.outer(np.arange(_ROW), np.arange(_ROW)).T
    inside = np.where(lag >= 0, answer[np.maximum(lag, 0)], 0.0)
    # In these coordinates no large numbers cancel each other, and float32 is enough.
    tail, turn = np.linalg.qr(seen)
    impulses = [np.linalg.matrix_power(over, _ROW - 1 - i) @ entry for i in range(_ROW)]
    entering = (turn @ np.array(impulses).T).T
    step = (turn @ np.linalg.matrix_power(over, _ROW) @ np.linalg.inv(turn)).T
    rows = _group(step)
    single = np.float32
    return _Matrices(
        inside.astype(single),
        entering.astype(single),
        np.ascontiguousarray(tail[:_ROW].T).astype(single),
        (rows, _group(rows.over_group)),
    )
