"""Files as vectors: the same windows and the same towers whether a file is indexed or is the
query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import AudioRejected
from audiosearch.vectors.codec import unit

if TYPE_CHECKING:
    from audiosearch.models.model import Model


@dataclass(frozen=True)
class EmbeddedFile:
    """The windows of a file that hold sound: `vectors` (n, d) float32 unit; `starts`, `ends` (n,)
    seconds.
    """

    vectors: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    duration: float

    @property
    def mean(self) -> np.ndarray:
        """(d,) unit vector of the whole file."""
        return mean_of(self.vectors)


def mean_of(vectors: np.ndarray) -> np.ndarray:
    """The unit vector (d,) of the mean of unit vectors (n, d)."""
    return unit(vectors.mean(axis=0))


def embed_file(
    model: Model, path: str, start: float = 0.0, end: float | None = None
) -> EmbeddedFile:
    """Embed a file, or its part from `start` to `end` seconds, without storing anything.

    Raises `AudioRejected` where no embedding can be made of it.
    """
    from audiosearch.audio.reader import read_windows

    bundle = model.bundle
    vectors: list[np.ndarray] = []
    times: list[tuple[float, float]] = []
    with read_windows(
        path,
        rate=bundle.front_end.sampling_rate,
        length=bundle.window_samples,
        hop=bundle.hop_samples,
        padding=bundle.front_end.padding,
        start=start,
        end=end,
    ) as (reading, windows):
        for window in windows:
            if not window.silent:
                vectors.append(model.embed_audio(window.samples[None])[0])
                times.append((window.start, window.end))
    if not np.isfinite(vectors).all():
        raise AudioRejected("nan", "the model made no finite vector of it")
    starts, ends = np.array(times).T
    return EmbeddedFile(np.stack(vectors), starts, ends, reading.duration)
