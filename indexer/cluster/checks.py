"""May a node take part? It must run the same audiosearch and the same model, see the same files,
and make the same vectors.

Everything is tried, not believed: a node reads sounds of every root (`indexer.cluster.markers`), and
embeds the sounds of `audiosearch.models.precision.PROBE` by all the steps that a file goes through.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosearch.models.precision import PROBE
from indexer.encoder import Encoder
from indexer.pipeline import Embedded, read_one
from indexer.plan import FileTask
from indexer.workers import Worker

# The packages that the bits of a vector go through.
_PACKAGES = ("audiosearch", "numpy", "onnxruntime", "soundfile", "soxr", "av")
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16")

# Other processors add in another order: fp32 vectors of two of them differ by 1e-6 at most. A vector
# of another decoder, front end or precision differs by far more.
_LEAST_SAME = 1e-5


def facts() -> dict[str, Any]:
    """Return what a node says of itself: versions, and the features of its processor."""
    found: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    try:
        flags = set(Path("/proc/cpuinfo").read_text(errors="replace").split())
    except OSError:
        flags = set()
    found["processor"] = " ".join(name for name in _FEATURES if name in flags)
    return found


def other_version(mine: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """Return why a node with these facts cannot take part, if it cannot."""
    own, other = mine["audiosearch"], theirs.get("audiosearch")
    if other is None:
        return "audiosearch is not installed there"
    if other != own:
        return f"it has audiosearch {other}, this machine has {own}"
    return None


def differences(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Return the facts in which a node differs from this machine, as text."""
    unlike = [
        f"{name} {theirs.get(name) or 'none'} (here {mine[name] or 'none'})"
        for name in mine
        if theirs.get(name) != mine[name]
    ]
    return ", ".join(unlike) or "its versions and its processor's features are the same"


@dataclass(frozen=True)
class Judgement:
    """Whether a node may take part: the reason why not, or what to say of it."""

    refusal: str | None = None
    notice: str | None = None


def judge(
    mine: np.ndarray, theirs: np.ndarray, fp32: bool, facts: tuple[dict[str, Any], dict[str, Any]]
) -> Judgement:
    """Compare the vectors (n, d) of the probe from this machine with those of a node.

    Equal bits are best. In `fp32` another processor may differ in the last digits; in another
    precision the same step can saturate on one processor alone, so there equal bits are a must.
    """
    if mine.shape == theirs.shape and np.array_equal(mine, theirs):
        return Judgement()
    why = differences(*facts)
    worst = float(np.abs(mine - theirs).max()) if mine.shape == theirs.shape else float("nan")
    if not worst <= _LEAST_SAME:  # NaN fails the comparison too
        return Judgement(f"its vectors differ by {worst:.1g} from those of this machine: {why}")
    if not fp32:
        return Judgement(
            f"its vectors differ by {worst:.1g} from those of this machine ({why}), and only a model in "
            "fp32 gives the same on unlike processors"
        )
    return Judgement(
        notice=f"its vectors differ by up to {worst:.1g} from those of this machine: {why}"
    )


def sums_in_fp32(precision: str) -> bool:
    """Return whether the audio tower of a model computes in fp32. Weights that are kept in fp16 do
    not change that; a tower in int8 or fp16 does.
    """
    audio = precision.partition(",")[0]
    return audio in ("fp32", "fp32 audio", "fp16 weights", "fp16 audio weights")


def reference(worker: Worker, encoder: Encoder) -> np.ndarray:
    """Return the vectors (n, d) float32 of the probe's sounds, through decoding and all.

    Where a sound is rejected its rows are missing, so that the shape differs.
    """
    vectors = []
    for path in sorted(p for p in PROBE.iterdir() if p.suffix in (".ogg", ".mp3")):
        task = FileTask(os.fsencode(path), 0, b"", 0, 0, None)
        outcome = read_one(task, worker, encoder, lambda content: False, lambda: False)
        if isinstance(outcome, Embedded):
            vectors.append(outcome.vectors)
    return np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32)
