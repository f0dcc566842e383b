"""What embeds the windows of an index run: the model's audio tower on ONNX Runtime, or, of a model
that was compiled for a GPU, on torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from audiosearch.errors import ModelBroken, ModelNotFound
from audiosearch.models.model import Model, unlike_sounds
from audiosearch.models.precision import LEAST_COSINE


class Encoder(Protocol):
    """Windows in, vectors out, for several threads at once."""

    @property
    def takes_samples(self) -> bool:
        """Whether windows are samples (n, window_samples), else log-mel pictures (n, frames, mels)."""

    def embed(self, windows: np.ndarray) -> np.ndarray:
        """Return (n, d) float32 unit vectors; a row is NaN where the tower gives no finite vector."""


@dataclass(frozen=True)
class PictureEncoder:
    """ONNX Runtime: a window at a time, its picture made where it was decoded."""

    model: Model
    takes_samples: bool = False

    def embed(self, windows: np.ndarray) -> np.ndarray:
        """See `Encoder`."""
        return self.model.embed_features(windows)


def open_encoder(model: Model) -> Encoder:
    """Return the encoder of a model that works.

    Raises `ModelBroken` where it does not, and `ModelNotFound` where torch is needed and missing.
    """
    model.check()  # before hours are spent on vectors that mean nothing
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
    if not cosine >= LEAST_COSINE:  # nor is NaN
        raise ModelBroken(
            f"the model {bundle.name} cannot be used: on this machine its bfloat16 tower is at a "
            f"cosine of {cosine:.4f} to the whole one (add it again with --precision fp32)"
        )
    return tower
