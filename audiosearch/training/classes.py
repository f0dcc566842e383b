"""The lesson of fine-tuning: which classes a sound has, by the whole audio tower and a layer on top.

Text towers are left aside. A sound's vector is the mean of its windows', as for a head. Logits are
(n, classes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from audiosearch.evaluation import zero_shot
from audiosearch.heads.fit import Layers
from audiosearch.models.embedding import mean_of
from audiosearch.training.batches import Learnt, Maker
from audiosearch.training.embedding import embed_windows
from audiosearch.training.steps import mixed
from audiosearch.training.trainee import Trainee


def with_layer(trainee: Trainee, layers: Layers) -> tuple[Trainee, nn.Linear]:
    """Return the audio tower of `trainee` with a linear head on top, and that layer of it."""
    ((weights, biases),) = layers.layers
    top = nn.Linear(*weights.shape)
    with torch.no_grad():
        top.weight.copy_(torch.from_numpy(weights.T))
        top.bias.copy_(torch.from_numpy(biases))
    parts = trainee.parts

    def trunk(name: str) -> str:
        owner, _, rest = name.partition(".")
        if owner == "top":
            return "projection"  # which learns at the full rate
        return "audio" if parts.trunk(rest) and not rest.startswith("text") else ""

    module = nn.ModuleDict({"towers": parts.module, "top": top})
    return Trainee(replace(parts, module=module, trunk=trunk)), top


@dataclass(frozen=True)
class Classes:
    """Sounds that are `learnt` with their classes, `truth` (n, classes) bool, `size` in a batch; the
    mAP of those `held_out` chooses the epoch. With `multi` each class is a question of its own.
    """

    trainee: Trainee
    top: nn.Linear
    maker: Maker
    learnt: Learnt
    truth: np.ndarray
    held_out: Learnt
    held_out_truth: np.ndarray
    multi: bool
    size: int
    device: str
    precision: str
    if_broken = "leave out --fine-tune"
    if_full = "fine-tune a smaller model"

    def plan(self, epoch: int) -> list[np.ndarray]:
        return self.maker.plan(self.learnt, epoch, self.size)

    def batch(self, epoch: int, places: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        windows, _ = self.maker.windows(self.learnt, epoch, places)
        truth = torch.from_numpy(self.truth[places]).float().to(self.device)
        return self.maker.pictures(windows), truth

    def backward(self, batch: tuple[torch.Tensor, torch.Tensor], micro: int, seed: int) -> float:
        pictures, truth = batch
        total = 0.0
        for number, rows in enumerate(torch.arange(len(pictures)).split(micro)):
            torch.manual_seed(seed + number)  # of dropout
            with mixed(self.device, self.precision):
                vectors = self.trainee.embed_pictures(pictures[rows])
            loss = _loss(self.top(vectors), truth[rows], self.multi) * len(rows) / len(pictures)
            loss.backward()
            total += float(loss.detach())
        return total

    def measure(self) -> float:
        precisions = zero_shot.class_precisions(self.logits(self.held_out), self.held_out_truth)
        return float(precisions.mean())

    def logits(self, sounds: Learnt) -> np.ndarray:
        """Return the logits (n, classes) of sounds."""
        self.trainee.learn(False)
        windows = embed_windows(self.trainee, self.maker, sounds, self.device)
        means = torch.from_numpy(np.stack([mean_of(rows) for rows in windows]))
        with torch.no_grad():
            logits: np.ndarray = self.top(means.to(self.device)).cpu().numpy()
        return logits


def _loss(logits: torch.Tensor, truth: torch.Tensor, multi: bool) -> torch.Tensor:
    if multi:
        return functional.binary_cross_entropy_with_logits(logits, truth)
    # A sound with several classes counts for each of them in equal parts.
    return functional.cross_entropy(logits, truth / truth.sum(1, keepdim=True))
