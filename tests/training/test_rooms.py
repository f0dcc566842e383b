"""Augmentation with torchaudio. `scripts.training.torchaudio_check` makes an environment that has it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra: pip install '.[train]'")
# A build that does not fit torch's raises something else than ImportError.
pytest.importorskip("torchaudio", reason="torchaudio is not installed", exc_type=ImportError)

from audiosearch.training import rooms  # noqa: E402
from audiosearch.training.rooms_check import check_torchaudio  # noqa: E402

RATE = 32_000
SIZE = 5 * RATE


@pytest.fixture
def tone():
    time = torch.arange(SIZE) / RATE
    return (0.3 * torch.sin(2 * np.pi * 1000.0 * time)).float()


def peak(window):
    """The frequency in Hz of the strongest partial."""
    return float(torch.fft.rfft(window * torch.hann_window(SIZE)).abs().argmax()) * RATE / SIZE


def power(window, low, high):
    spectrum = torch.fft.rfft(window).abs().square()
    return float(spectrum[round(low * SIZE / RATE) : round(high * SIZE / RATE)].sum())


def test_it_loads():
    check_torchaudio(needed=True)


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_speed_moves_the_pitch_with_it(tone, factor):
    changed = rooms.at_speed(tone, RATE, factor)
    assert changed.shape == tone.shape
    assert peak(changed) == pytest.approx(1000 * factor, rel=0.005)


@pytest.mark.parametrize("steps", [-2, 1, 2])
def test_pitch_moves_alone(tone, steps):
    changed = rooms.at_pitch(tone, RATE, steps)
    assert changed.shape == tone.shape
    assert peak(changed) == pytest.approx(1000 * 2 ** (steps / 12), rel=0.01)


def test_filters_take_what_lies_beyond_the_corner():
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, SIZE)).float()
    high = rooms.filtered(noise, RATE, 0.1, 1.0)  # high-pass at 500 Hz
    low = rooms.filtered(noise, RATE, 0.5, 0.0)  # low-pass at 1600 Hz
    bump = rooms.filtered(noise, RATE, 0.99, 0.5)
    assert power(high, 0, 100) < 0.01 * power(noise, 0, 100)
    assert power(high, 4000, 8000) == pytest.approx(power(noise, 4000, 8000), rel=0.05)
    assert power(low, 8000, 12000) < 0.01 * power(noise, 8000, 12000)
    assert power(bump, 600, 660) > 2 * power(noise, 600, 660)


def test_a_room_goes_on_after_the_sound():
    click = torch.zeros(SIZE)
    click[1000:1010] = 0.5
    rng = np.random.default_rng(0)
    heard = rooms.in_room(click, RATE, 0.5, rng)
    assert heard.shape == click.shape
    assert float(heard[:1000].abs().max()) < 1e-3  # nothing before it
    early = float(heard[1100:3000].square().mean())
    late = float(heard[1000 + RATE // 2 - 1900 : 1000 + RATE // 2].square().mean())
    # 60 dB in half a second; the two stretches are 0.44 s apart.
    assert -60 < 10 * np.log10(late / early) < -45


def test_the_same_generator_gives_the_same_sound(tone):
    for seed in range(8):
        first, again = (rooms.vary(tone, RATE, np.random.default_rng(seed)) for _ in range(2))
        assert torch.equal(first, again)
        assert first.shape == tone.shape
        assert torch.isfinite(first).all()
