"""The functions that the benchmarks share: times, tables, and the description of the machine."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


def machine() -> str:
    """Return the processor, its cores, and the features that speeds depend on."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    lines = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set(facts.get("flags", "").split())
    features = [
        f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if f in flags
    ]
    return f"{facts.get('model name', 'unknown')}, {os.cpu_count()} cores, {' '.join(features)}"


def times(calls: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Return the seconds of each call in `rounds` rounds.

    The calls run in turn (A B A B), so that a noisy machine disturbs all of them alike.
    """
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, mine in zip(calls, seconds, strict=True):
            began = time.perf_counter()
            call()
            mine.append(time.perf_counter() - began)
    return seconds


def p50_p95(seconds: Sequence[float]) -> str:
    """Return the 50th and the 95th percentile of seconds, as text in milliseconds."""
    return (
        f"{1000 * statistics.median(seconds):.2f} / {1000 * float(np.quantile(seconds, 0.95)):.2f}"
    )


def table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> None:
    """Print a markdown table."""
    print("| " + " | ".join(map(str, header)) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)
