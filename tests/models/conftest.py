"""Bundles to test with: the real `mini`, copies of it with a file exchanged, and compiled checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosearch.models.bundle import MANIFEST, file_entry
from audiosearch.models.model import Model
from audiosearch.models.registry import find_bundle, load_model

Exchange = Callable[..., Path]


@pytest.fixture(scope="session")
def mini() -> Model:
    """The bundled model."""
    return load_model("mini")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of models."""
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    """`exchange({"text.onnx": b"..."}, dimension=4)`: a copy of mini with other files and values, and a
    `model.json` that agrees with the files.
    """

    def make(files: dict[str, bytes], /, at: Path = tmp_path / "exchanged", **values: Any) -> Path:
        source = find_bundle("mini")
        at.mkdir(parents=True)
        manifest = json.loads((source / MANIFEST).read_text())
        for name in manifest["files"]:
            if name in files:
                (at / name).write_bytes(files[name])
                manifest["files"][name] = asdict(file_entry(at / name))
            else:
                (at / name).symlink_to(source / name)
        (at / MANIFEST).write_text(json.dumps({**manifest, **values}))
        return at

    return make


@pytest.fixture(scope="session")
def windows(mini: Model) -> np.ndarray:
    """(8, window_samples) float32: unlike sounds at unlike levels."""
    rng = np.random.default_rng(7)
    size = mini.bundle.window_samples
    time = np.arange(size) / mini.bundle.front_end.sampling_rate
    rows = []
    for i in range(8):
        tone = np.sin(2 * np.pi * 110.0 * 2**i * time)
        burst = rng.normal(0.0, 1.0, size) * (time % (0.2 + 0.1 * i) < 0.05)
        rows.append((tone * (i % 2) + burst) * 10.0 ** (-0.3 * i))
    return np.stack(rows).astype(np.float32)
