"""The encoder embeds the windows of an index run. It runs the model's audio tower on ONNX Runtime,
or on torch where the model was compiled for a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from audiosearch.errors import ModelBroken, ModelNotFound
from audiosearch.models.model import Model, unlike_sounds
from audiosearch.models.precision import LEAST_COSINE


class Encoder(Protocol):
    """The encoder of windows. Several threads may use it at once."""

    @property
    def takes_samples(self) -> bool:
        """Whether windows are samples (n, window_samples) and not log-mel pictures (n, frames,
        mels).
        """

    def embed(self, windows: np.ndarray) -> np.ndarray:
        """Return the unit vectors (n, d) of n windows, float32. A row is NaN where the tower fails."""


@dataclass(frozen=True)
class PictureEncoder:
    """The encoder on ONNX Runtime. It takes one window at a time, as a picture that the decoding
    process made.
    """

    model: Model
    takes_samples: bool = False

    def embed(self, windows: np.ndarray) -> np.ndarray:
        """See `Encoder`."""
        return self.model.embed_features(windows)


@dataclass(frozen=True)
class CourteousEncoder:
    """An encoder that calls `turn` before each call, where it may have to wait for others."""

    encoder: Encoder
    turn: Callable[[], None]

    @property
    def takes_samples(self) -> bool:
        """See `Encoder`."""
        return self.encoder.takes_samples

    def embed(self, windows: np.ndarray) -> np.ndarray:
        """See `Encoder`. Several windows have a turn each."""
        parts = [windows] if self.takes_samples else np.split(windows, len(windows))
        vectors = []
        for part in parts:
            self.turn()
            vectors.append(self.encoder.embed(part))
        return np.concatenate(vectors)


def open_encoder(model: Model) -> Encoder:
    """Return the encoder of a model, after a check that it works.

    Raises `ModelBroken` where it does not, and `ModelNotFound` where torch is needed and missing.
    """
    model.check()  # the check comes before hours of work on meaningless vectors
    bundle = model.bundle
    if bundle.bf16_from is None:
        return PictureEncoder(model)
    try:
        from audiosearch.models.torch_tower import TorchTower
    except ImportError as error:
        raise ModelNotFound(
            f"the model {bundle.name} is one for a GPU, and to index with it {error.name} is needed: "
            "pip install 'audiosearch[clap]'"
        ) from error
    tower = TorchTower(bundle)
    sounds = unlike_sounds(bundle)
    cosine = float((tower.embed(sounds) * model.embed_audio(sounds)).sum(axis=1).min())
    if not cosine >= LEAST_COSINE:  # NaN fails the comparison too
        raise ModelBroken(
            f"the model {bundle.name} cannot be used: on this machine its bfloat16 tower is at a "
            f"cosine of {cosine:.4f} to the whole one (add it again with --precision fp32)"
        )
    return tower
