"""The sounds of a run, decoded once: exact windows as the indexer cuts them, in 16 bits on the disk.

`samples.i16` holds the windows (n, window_samples), each scaled to its own peak; `index.jsonl` a
line for each file, with the hash of its content, its windows and their peaks, or why it has none.
Decoding takes up where it was stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosearch.errors import AudioSearchError
from audiosearch.models.bundle import Bundle
from audiosearch.training.options import Progress


@dataclass(frozen=True)
class Decoded:
    """`first` and `count` (files,) number the windows of each file; a file with none has a reason in
    `failed`. `hashes` are those of contents, empty for a failed file.
    """

    samples: np.ndarray
    peaks: np.ndarray
    first: np.ndarray
    count: np.ndarray
    hashes: tuple[str, ...]
    failed: tuple[str | None, ...]

    def window(self, number: int) -> np.ndarray:
        """Return (window_samples,) float32, full scale at 1."""
        whole: np.ndarray = self.samples[number] * np.float32(self.peaks[number] / 32767)
        return whole


def decode(
    paths: Sequence[Path], bundle: Bundle, longest: float, folder: Path, progress: Progress
) -> Decoded:
    """Decode files into `folder`: of each the windows that are not silent, of its first `longest`
    seconds. Raises `AudioSearchError` where the disk is full or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = _decode(paths, bundle, longest, folder, progress)
    except OSError as error:
        where = error.filename or folder
        raise AudioSearchError(f"cannot write {where}: {error.strerror or error}") from error
    count = np.array([len(row.get("peaks", ())) for row in rows], dtype=np.int64)
    peaks = [peak for row in rows for peak in row.get("peaks", ())]
    shape = (len(peaks), bundle.window_samples)
    samples = (
        np.memmap(folder / "samples.i16", dtype="<i2", mode="r", shape=shape)
        if peaks
        else np.empty(shape, dtype="<i2")
    )
    return Decoded(
        samples,
        np.array(peaks, dtype=np.float64),
        np.cumsum(count) - count,
        count,
        tuple(row.get("hash", "") for row in rows),
        tuple(row.get("failed") for row in rows),
    )


def _decode(
    paths: Sequence[Path], bundle: Bundle, longest: float, folder: Path, progress: Progress
) -> list[dict[str, Any]]:
    from indexer.workers import Worker

    rows = _done(paths, folder, bundle.window_samples)
    extra = max(0.0, longest - bundle.window_seconds) / bundle.hop_seconds
    most = 1 + int(extra)
    progress.begin("decoding", len(paths), len(rows))
    with (
        Worker(bundle, samples=True) as worker,
        (folder / "samples.i16").open("ab") as data,
        (folder / "index.jsonl").open("a", encoding="utf-8") as index,
    ):
        for path in paths[len(rows) :]:
            row, windows = _read(worker, path, most)
            peaks = np.abs(windows).max(axis=1, initial=1e-9)
            data.write(np.rint(windows / peaks[:, None] * 32767).astype("<i2").tobytes())
            data.flush()
            if len(windows):
                row["peaks"] = [float(peak) for peak in peaks]
            index.write(json.dumps(row) + "\n")
            index.flush()
            rows.append(row)
            progress.advance()
    return rows


def _done(paths: Sequence[Path], folder: Path, length: int) -> list[dict[str, Any]]:
    """The rows of an earlier run that are whole; whatever lies behind them is cut off."""
    index, data = folder / "index.jsonl", folder / "samples.i16"
    rows: list[dict[str, Any]] = []
    size = windows = 0
    if index.is_file() and data.is_file():
        there = data.stat().st_size
        for path, line in zip(paths, index.read_bytes().splitlines(keepends=True), strict=False):
            try:
                row = json.loads(line)
                more = windows + len(row.get("peaks", ()))
                if row["path"] != os.fsdecode(path) or more * length * 2 > there:
                    break
            except (ValueError, KeyError, AttributeError):
                break
            rows.append(row)
            size, windows = size + len(line), more
    for file, end in ((index, size), (data, windows * length * 2)):
        with file.open("ab") as stream:
            stream.truncate(end)
    return rows


def _read(worker: Any, path: Path, most: int) -> tuple[dict[str, Any], np.ndarray]:
    from indexer.workers import Hashed, Rejected, Windows, WorkerDied

    row: dict[str, Any] = {"path": os.fsdecode(path)}
    parts: list[np.ndarray] = []
    try:
        for message in worker.read(os.fsencode(path.absolute()), lambda hashed: True):
            if isinstance(message, Hashed):
                row["hash"] = message.hash.hex()
            elif isinstance(message, Rejected):
                row["failed"] = message.reason
                parts = []
            elif isinstance(message, Windows):
                parts.append(message.values)
                if sum(map(len, parts)) >= most:
                    worker.stop()  # it is in the middle of a long file
                    break
    except WorkerDied as death:
        row["failed"], parts = str(death), []
    if not parts:
        row.setdefault("failed", "it has no window that is not silent")
        return row, np.empty((0, 1), dtype=np.float32)
    return row, np.concatenate(parts)[:most]
