"""Towers in lower precision: made here in int8, or as a hub holds them. They are compared with fp32
on real sounds and their descriptions, and kept only where they are as good; without a request they
must also be faster.

Weights made here are int8 per channel. Activations are scaled at run time, one item at a call, so
that an item's bits do not depend on a batch. The gain depends on the processor: three times the
speed of fp32 with VNNI, 1.3 times with AVX2 alone.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.audio.reader import read_windows
from audiosearch.errors import ModelBroken
from audiosearch.models.bundle import TOKENIZER, Bundle
from audiosearch.models.frontend import log_mel
from audiosearch.models.towers import Tower, open_tokenizer

# The worst of the probe's windows must reach this cosine with fp32.
LEAST_COSINE = 0.999
# A tower that is hardly faster is not worth another identity.
LEAST_GAIN = 1.2
_RUNS = 5

PROBE = Path(__file__).parent / "probe"
# These are people's descriptions of the probe's sounds.
PROBE_TEXTS = (
    "several seagulls cry",
    "a bee buzzes",
    "heavy rain pours down",
    "a blast of thunder rumbles",
    "a wood fire crackles like a campfire",
    "a small clock ticks",
    "a sheep bleats once",
)


@dataclass(frozen=True)
class Comparison:
    """The comparison of a lower precision with fp32: `cosine` is the worst over the probe, and
    `gain` is fp32's time divided by its own.
    """

    cosine: float
    gain: float

    @property
    def same(self) -> bool:
        """Whether the vectors are near enough to those of fp32."""
        return self.cosine >= LEAST_COSINE

    @property
    def good(self) -> bool:
        """Whether int8 is worth keeping."""
        return self.same and self.gain >= LEAST_GAIN


def quantise(source: Path, target: Path) -> None:
    """Write a copy of an fp32 graph with its matrices in int8. Raises `ModelBroken` where that
    fails.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a pre-processing that changes nothing here
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            # Without VNNI two products of 8 bits overflow 16; 7 bits do not.
            reduce_range=not _has_vnni(),
            weight_type=QuantType.QInt8,
            extra_options={
                "DefaultTensorType": 1
            },  # some shapes cannot be inferred: those stay float
        )
    except (ValueError, RuntimeError, KeyError) as error:
        line = " ".join(str(error).split())[:200]
        raise ModelBroken(f"{source.name} cannot be quantised: {line}") from error
    finally:
        root.setLevel(level)


def _has_vnni() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "vnni" in flags


def probe(bundle: Bundle) -> np.ndarray:
    """Return (n, window_samples) float32: the probe's windows."""
    front_end = bundle.front_end
    samples = []
    for path in sorted(p for p in PROBE.iterdir() if p.suffix in (".ogg", ".mp3")):
        with read_windows(
            path,
            rate=front_end.sampling_rate,
            length=bundle.window_samples,
            hop=bundle.window_samples,
            padding=front_end.padding,
        ) as (_, windows):
            samples += [window.samples for window in windows if not window.silent]
    return np.stack(samples)


def compare(bundle: Bundle, whole: Path, small: Path, threads: int) -> Comparison:
    """Compare two graphs of an audio tower on the probe's windows, run in turn (A B A B)."""
    features = log_mel(probe(bundle), bundle.front_end)
    items = [{"input_features": picture[None, None]} for picture in features]
    return _compare(whole, small, items, bundle.dimension, threads)


def compare_texts(bundle: Bundle, whole: Path, small: Path, threads: int) -> Comparison:
    """Compare two graphs of a text tower on the descriptions of the probe's sounds, run in turn."""
    tokenizer = open_tokenizer(bundle.directory / TOKENIZER, bundle.max_tokens)
    items = []
    for text in PROBE_TEXTS:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        items.append({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    return _compare(whole, small, items, bundle.dimension, threads)


def _compare(
    whole: Path,
    small: Path,
    items: Sequence[Mapping[str, np.ndarray]],
    dimension: int,
    threads: int,
) -> Comparison:
    towers = [
        Tower(path, list(items[0]), threads, ["CPUExecutionProvider"]) for path in (whole, small)
    ]

    def embed(tower: Tower) -> np.ndarray:
        rows = [tower.run(item, dimension) for item in items]
        vectors: np.ndarray = np.concatenate(rows).astype(np.float64)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    first, second = (embed(tower) for tower in towers)
    times: list[list[float]] = [[], []]
    for _ in range(_RUNS):
        for tower, mine in zip(towers, times, strict=True):
            began = time.perf_counter()
            embed(tower)
            mine.append(time.perf_counter() - began)
    whole_time, small_time = (statistics.median(mine) for mine in times)
    cosine = float((first * second).sum(axis=1).min())
    # A tower that overflows gives NaN, which is no cosine.
    return Comparison(cosine if np.isfinite(cosine) else -1.0, whole_time / small_time)
