"""The lesson of `train`: which text is a sound's, and which sound a text's, among those of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiosearch.training.batches import Batch, Learnt, Maker
from audiosearch.training.embedding import retrieve
from audiosearch.training.steps import backward
from audiosearch.training.trainee import Trainee


@dataclass(frozen=True)
class Contrast:
    """Pairs that are `learnt`, `size` in a batch; retrieval of those `held_out` chooses the epoch."""

    trainee: Trainee
    maker: Maker
    learnt: Learnt
    held_out: Learnt
    size: int
    device: str
    precision: str
    if_broken = "try a lower --rate or --precision fp32 in another --run"
    if_full = "train on another device (--device cpu), a smaller model, or a part (--freeze)"

    def plan(self, epoch: int) -> list[np.ndarray]:
        return self.maker.plan(self.learnt, epoch, self.size)

    def batch(self, epoch: int, places: np.ndarray) -> Batch:
        return self.maker.batch(self.learnt, epoch, places)

    def backward(self, batch: Batch, micro: int, seed: int) -> float:
        return backward(self.trainee, batch, micro, seed, self.device, self.precision)

    def measure(self) -> float:
        return retrieve(self.trainee, self.maker, self.held_out, self.device).map
