"""A compiled audio tower in int8: made, compared with fp32 on real sounds, and kept only where it is
as good and faster.

Weights are int8 per channel, activations are scaled at run time, one item at a call, so that an item
has the same bits whatever it is batched with. How much is gained depends on the processor: with VNNI
three times the speed of fp32, with AVX2 alone 1.3 times.
"""

from __future__ import annotations

import logging
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.audio.reader import read_windows
from audiosearch.errors import ModelBroken
from audiosearch.models.bundle import Bundle
from audiosearch.models.frontend import log_mel
from audiosearch.models.towers import Tower

# The cosine with fp32 that the worst of the probe's windows must reach.
LEAST_COSINE = 0.999
# What is hardly faster is not worth another identity.
LEAST_GAIN = 1.2
_RUNS = 5

PROBE = Path(__file__).parent / "probe"


@dataclass(frozen=True)
class Comparison:
    """int8 beside fp32: the worst cosine over the probe's windows, and fp32's time over int8's."""

    cosine: float
    gain: float

    @property
    def good(self) -> bool:
        """Whether int8 is to be kept."""
        return self.cosine >= LEAST_COSINE and self.gain >= LEAST_GAIN


def quantise(source: Path, target: Path) -> None:
    """Write an fp32 graph with its matrices in int8. Raises `ModelBroken` where that fails."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises to run a pre-processing that changes nothing here
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            # Without VNNI two products of 8 bits overflow 16; 7 bits do not.
            reduce_range=not _has_vnni(),
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": 1},  # shapes that cannot be inferred: float
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
    """(n, window_samples) float32: the probe's windows."""
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
    """Run both graphs on the probe, in turn (A B A B)."""
    features = log_mel(probe(bundle), bundle.front_end)
    towers = [
        Tower(path, ["input_features"], threads, ["CPUExecutionProvider"])
        for path in (whole, small)
    ]

    def embed(tower: Tower) -> np.ndarray:
        rows = [tower.run({"input_features": f[None, None]}, bundle.dimension) for f in features]
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
    # NaN, of a tower that overflowed, is no cosine.
    return Comparison(cosine if np.isfinite(cosine) else -1.0, whole_time / small_time)
