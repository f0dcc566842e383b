"""Vectors in any number that are spread as a model's own windows are, for benchmarks of searches.

A made window is a real one, drawn at random and moved a part of the way to the mean of all, with
noise of their covariance: mean and spectrum stay those of the real windows, and so does the distance
to queries (a smoothed bootstrap that keeps the variance). Queries are sentences through the model's
text tower. They lie away from all windows, as texts do in such models, and an index finds the nearest
windows of such a query less easily than those of a window.

All vectors are float32 of unit length, (n, d).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.errors import AudioRejected
from audiosearch.models.model import Model, apply_template
from audiosearch.vectors.codec import unit
from indexer.isolated import IsolatedReader

SAMPLES = Path(__file__).parents[2] / "sample_library"
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".mp3")

# The part of a made window's variance that is noise. With all of it the clusters of like sounds would
# go, with none every window would be one of the few real ones.
NOISE = 0.3


@dataclass(frozen=True)
class Space:
    """What is known of real windows: themselves (n, d), their mean (d,), and in `axes` (r, d) the
    directions of their covariance, each as long as the windows' standard deviation along it.
    """

    real: np.ndarray
    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, real: np.ndarray) -> Space:
        mean = real.mean(axis=0)
        _, lengths, directions = np.linalg.svd(real - mean, full_matrices=False)
        deviations = lengths / np.sqrt(max(1, len(real) - 1))
        return cls(real, mean, (deviations[:, None] * directions).astype(np.float32))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return `count` made windows."""
        chosen = self.real[rng.integers(0, len(self.real), count)] - self.mean
        noise = rng.standard_normal((count, len(self.axes)), np.float32) @ self.axes
        made: np.ndarray = unit(
            self.mean + np.float32(np.sqrt(1 - NOISE)) * chosen + np.float32(np.sqrt(NOISE)) * noise
        )
        return made


def real_windows(model: Model, folder: Path, most: int | None = None) -> np.ndarray:
    """Return the vectors of all windows of the sounds below a folder; of at most `most` sounds,
    evenly spread.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    files = files[:: max(1, -(-len(files) // most))] if most else files
    vectors = []
    with IsolatedReader() as reader:
        for path in files:
            try:
                vectors.append(reader.embed(model, path).vectors)
            except AudioRejected:
                continue
    return np.concatenate(vectors)


def sentences() -> list[str]:
    """Return the short queries of sample_library, and its descriptions."""
    texts = []
    for name, column in (("queries.csv", "query"), ("manifest.csv", "description")):
        with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
            texts += [row[column] for row in csv.DictReader(file)]
    return texts


def queries(model: Model, texts: Iterable[str]) -> np.ndarray:
    """Return the vectors of these texts in the model's template."""
    template = model.bundle.query_template
    return model.embed_text([apply_template(template, text) for text in texts])
