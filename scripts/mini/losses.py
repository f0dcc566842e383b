"""Losses that carry what the teacher hears, and what the corpus says, into the common space.

Shapes: f (batch, 512) audio, c (527, 512) class texts, q (k, 512) captions, all unit length; T
(batch, 527) teacher logits.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Scales(nn.Module):
    """Temperatures and offsets that turn cosines into logits; `class_*` for the 527 classes,
    `caption` for captions."""

    def __init__(self, class_scale: float, class_offset: float, caption: float = 20.0) -> None:
        super().__init__()
        self.class_scale = nn.Parameter(torch.tensor(class_scale).log())
        self.class_offset = nn.Parameter(torch.tensor(class_offset))
        self.caption = nn.Parameter(torch.tensor(caption).log())


def _divergence(target: torch.Tensor, logits: torch.Tensor, axis: int) -> torch.Tensor:
    """Mean KL divergence of the softmax of `logits` from the distribution `target`, along
    `axis`."""
    terms = functional.kl_div(logits.log_softmax(axis), target, reduction="none").sum(axis)
    return terms.mean()


def class_losses(
    f: torch.Tensor, c: torch.Tensor, teacher: torch.Tensor, scales: Scales
) -> dict[str, torch.Tensor]:
    """Distillation of the teacher's 527 logits through the text tower.

    bce: each class heard or not; mse: the logits themselves; over_classes and over_batch: the two
    softmaxes, that is which class this sound is, and which sound this class is. Logits are centred
    by the class's mean, for a frequent class must not be near to everything.
    """
    student = scales.class_scale.exp() * f @ c.T + scales.class_offset
    bce = functional.binary_cross_entropy_with_logits(
        student, teacher.sigmoid(), reduction="none"
    ).sum(1)
    centred = teacher - teacher.mean(0)
    return {
        "bce": bce.mean(),
        "mse": functional.mse_loss(student, teacher),
        "over_classes": _divergence(teacher.softmax(1), student, 1),
        "over_batch": _divergence(centred.softmax(0), student, 0),
    }


def caption_losses(
    f: torch.Tensor,
    q: torch.Tensor,
    true: torch.Tensor,
    bridge: torch.Tensor,
    scales: Scales,
    trust: float = 0.5,
) -> dict[str, torch.Tensor]:
    """Captions of the corpus against the sounds of the batch, both ways.

    `true` (batch, k): 1 where the caption belongs to a source of the sound. `bridge` (batch, k):
    the teacher's logits averaged over the classes that a caption has to do with, so that a sound
    which would fit as well is no negative. The target is `trust` parts of the true pairs and the
    rest the bridge's softmax; a row without a true pair is the bridge's.
    """
    student = scales.caption.exp() * f @ q.T
    losses = {}
    for name, axis in (("to_caption", 1), ("to_sound", 0)):
        soft = bridge.softmax(axis)
        found = true.sum(axis, keepdim=True)
        share = trust * (found > 0)
        target = share * true / found.clamp_min(1) + (1 - share) * soft
        losses[name] = _divergence(target, student, axis)
    return losses


def embedding_loss(guess: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
    """One less the cosine between the side head's guess and the teacher's embedding."""
    return 1 - functional.cosine_similarity(guess, embedding, dim=1).mean()


def map_loss(guess: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
    """The share of the variance of the teacher's map that the student's guess leaves unexplained.

    Both (batch, channels, frequency, time). Every cell of a map is a lesson, where the embedding is
    one a clip (FitNets, Romero et al. 2015). Each channel counts alike.
    """
    variance = heard.var((0, 2, 3)).clamp_min(1e-3)
    return ((guess - heard).square().mean((0, 2, 3)) / variance).mean()
