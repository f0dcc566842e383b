import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosearch.models.bundle import FrontEnd
from audiosearch.models.frontend import hz_to_mel, log_mel, mel_to_hz
from scripts.random_checkpoint import sounds

CLAP = FrontEnd(48_000, 1024, 480, 64, 50.0, 14_000.0)
FUSED = FrontEnd(48_000, 1024, 480, 64, 0.0, 14_000.0, mel_scale="htk", norm=None)
SMALL = FrontEnd(16_000, 512, 160, 32, 50.0, 7_000.0)
# Filters at the low end are narrower than a bin, and some hold none.
NARROW = FrontEnd(16_000, 400, 100, 128, 0.0, 8_000.0)
FRONT_ENDS = {"clap": CLAP, "fused": FUSED, "small": SMALL, "narrow": NARROW}


def by_definition(samples: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """The same in float64, frame by frame, each filter written out as a triangle."""
    size = front_end.fft_window_size
    edges = np.array([front_end.frequency_min, front_end.frequency_max])
    low, high = hz_to_mel(edges, front_end.mel_scale)
    corners = mel_to_hz(np.linspace(low, high, front_end.feature_size + 2), front_end.mel_scale)
    hz = np.arange(size // 2 + 1) * front_end.sampling_rate / size
    filters = []
    for left, middle, right in zip(corners, corners[1:], corners[2:], strict=False):
        height = 2 / (right - left) if front_end.norm == "slaney" else 1.0
        filters.append(height * np.interp(hz, [left, middle, right], [0, 1, 0], left=0, right=0))
    window = np.sin(np.pi * np.arange(size) / size) ** 2
    padded = np.pad(samples.astype(np.float64), size // 2, mode="reflect")
    rows = []
    for i in range(front_end.frame_count(len(samples))):
        start = i * front_end.hop_length
        power = np.abs(np.fft.rfft(padded[start : start + size] * window)) ** 2
        rows.append(np.array(filters) @ power)
    decibels = 10 * np.log10(np.maximum(np.array(rows), front_end.floor))
    return (decibels + front_end.offset) * front_end.scale


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_it_is_what_its_definition_says(front_end):
    windows = sounds(front_end.sampling_rate, front_end.sampling_rate)
    pictures = log_mel(windows, front_end)
    assert pictures.dtype == np.float32
    assert pictures.shape[1:] == (front_end.frame_count(windows.shape[1]), front_end.feature_size)
    for samples, picture in zip(windows, pictures, strict=True):
        assert np.abs(picture - by_definition(samples, front_end)).max() < 1e-4


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_it_equals_the_extractor_of_transformers(front_end):
    pytest.importorskip("torch", reason="the extractor needs torch: pip install '.[clap]'")
    transformers = pytest.importorskip("transformers", reason="pip install '.[clap]'")
    fusion = front_end.mel_scale == "htk"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of filters that hold no bin
        extractor = transformers.ClapFeatureExtractor(
            feature_size=front_end.feature_size,
            sampling_rate=front_end.sampling_rate,
            hop_length=front_end.hop_length,
            fft_window_size=front_end.fft_window_size,
            frequency_min=front_end.frequency_min,
            frequency_max=front_end.frequency_max,
            max_length_s=2,
            truncation="fusion" if fusion else "rand_trunc",
        )
    windows = sounds(2 * front_end.sampling_rate, front_end.sampling_rate)
    features = extractor(list(windows), sampling_rate=front_end.sampling_rate, return_tensors="np")[
        "input_features"
    ]
    assert np.abs(log_mel(windows, front_end) - features[:, 0]).max() < 1e-4


def test_a_tone_has_its_level_in_its_band():
    """A sine of amplitude 1 has the power (size / 4) ** 2 in its bin, a Hann window puts a quarter of
    that in either neighbour: 48.2 dB to 49.9 dB in a band around them.
    """
    front_end = FrontEnd(32_000, 1024, 320, 64, 50.0, 14_000.0, norm=None)
    low, high = hz_to_mel(np.array([50.0, 14_000.0]), "slaney")
    corners = mel_to_hz(np.linspace(low, high, 66), "slaney")
    band = 40
    hz = round(corners[band + 1] / 31.25) * 31.25  # the bin nearest to the band's middle
    tone = np.sin(2 * np.pi * hz / 32_000 * np.arange(32_000)).astype(np.float32)
    inner = log_mel(tone[None], front_end)[0, 5:-5]
    assert (inner.argmax(axis=1) == band).all()
    peak = 20 * np.log10(1024 / 4)
    assert peak < inner.max() < peak + 10 * np.log10(1.5)


def test_offset_scale_floor_and_frames_are_obeyed():
    plain = log_mel(sounds(16_000, 16_000), SMALL)
    other = FrontEnd(
        16_000, 512, 160, 32, 50.0, 7_000.0, floor=1.0, offset=20.0, scale=0.5, frames="whole"
    )
    picture = log_mel(sounds(16_000, 16_000), other)
    assert picture.shape[1] == plain.shape[1] - 1
    expected = (np.maximum(plain[:, :-1], 0.0) + 20.0) * 0.5
    np.testing.assert_allclose(picture, expected, atol=1e-5)


def test_silence_is_at_the_floor():
    np.testing.assert_allclose(log_mel(np.zeros((1, 16_000), np.float32), SMALL), -100.0, atol=1e-4)


def test_no_window_is_no_picture():
    assert log_mel(np.zeros((0, 16_000), np.float32), SMALL).shape == (0, 101, 32)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 9),
    samples=st.integers(257, 9_000),
    level=st.floats(1e-6, 1e3),
)
def test_a_row_does_not_depend_on_the_rows_beside_it(seed, rows, samples, level):
    windows = np.random.default_rng(seed).normal(0, level, (rows, samples)).astype(np.float32)
    together = log_mel(windows, SMALL)
    for i in range(rows):
        assert together[i].tobytes() == log_mel(windows[i : i + 1], SMALL)[0].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_absurd_samples_stay_in_their_row(value):
    windows = sounds(16_000, 16_000)[:2].copy()
    alone = log_mel(windows[1:], SMALL)
    windows[0, 100] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert log_mel(windows, SMALL)[1].tobytes() == alone[0].tobytes()


def test_it_imports_numpy_alone():
    code = """
import sys, audiosearch.models.frontend
heavy = {"torch", "transformers", "onnxruntime", "tokenizers", "sqlalchemy", "faiss", "scipy", "av"}
print(sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "[]"


def test_the_bits_do_not_depend_on_the_threads_of_a_blas():
    code = """
import hashlib, numpy
from audiosearch.models.bundle import FrontEnd
from audiosearch.models.frontend import log_mel
windows = numpy.random.default_rng(3).normal(0, 0.1, (2, 480_000)).astype("f4")
pictures = log_mel(windows, FrontEnd(48_000, 1024, 480, 64, 50.0, 14_000.0))
print(hashlib.sha256(pictures.tobytes()).hexdigest())
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(found) == 1
