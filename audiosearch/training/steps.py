"""One step: the gradient of a whole batch, however many pairs fit the device at once.

A contrastive loss needs every pair beside every other, so a micro-batch of its own would be another
loss. Where a batch does not fit, its vectors are made first, without what a gradient needs; the
loss over all of them gives each vector's gradient; and a second pass, some pairs at a time, carries
it into the weights (Gao et al. 2021, arXiv 2101.06983). The gradient is that of the whole batch; the
price is a second forward pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from audiosearch.training.batches import Batch
from audiosearch.training.loss import symmetric_cross_entropy
from audiosearch.training.options import TrainingFailed
from audiosearch.training.trainee import Trainee


def device_of(asked: str) -> str:
    """Return ``cuda`` or ``cpu``. Raises `TrainingFailed` where a GPU is asked for that is not there."""
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise TrainingFailed("there is no GPU that PyTorch can use: leave out --device cuda")
    return ("cuda" if there else "cpu") if asked == "auto" else asked


def precision_of(device: str, precision: str) -> str:
    """Return ``bf16`` or ``fp32``: with ``auto`` bf16 on a GPU that computes in it. A processor that
    only emulates it is thirteen times slower with it, so there it must be asked for.
    """
    if precision == "auto":
        half = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if half else "fp32"
    return precision


def mixed(device: str, precision: str) -> AbstractContextManager[Any]:
    """The context in which towers run."""
    if precision == "bf16":
        return torch.autocast(device, torch.bfloat16)
    return nullcontext()


def descend(
    steppers: Sequence[torch.optim.Optimizer], weights: Iterable[torch.Tensor], most: float
) -> bool:
    """One step down the gradient that the weights hold, of a norm of `most` at most.

    Return whether the gradient was finite; else nothing is done.
    """
    norm = nn.utils.clip_grad_norm_(weights, most)
    if not math.isfinite(norm):
        return False
    for stepper in steppers:
        stepper.step()
    return True


def backward(
    trainee: Trainee, batch: Batch, micro: int, seed: int, device: str, precision: str
) -> float:
    """Add the gradient of the batch to the weights, and return the loss.

    `seed` is that of dropout. Raises `torch.OutOfMemoryError` where `micro` pairs do not fit.
    """
    size = len(batch.pictures)
    chunks = list(torch.arange(size).split(micro))

    def vectors(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = chunks[number]
        torch.manual_seed(seed + number)  # both passes drop the same
        with mixed(device, precision):
            audio = trainee.embed_pictures(batch.pictures[rows])
            text = trainee.embed_tokens(batch.ids[rows], batch.mask[rows])
        return audio, text

    if len(chunks) == 1:
        audio, text = vectors(0)
        loss = symmetric_cross_entropy(audio, text, trainee.scale, batch.same)
        loss.backward()
        return float(loss.detach())
    with torch.no_grad():
        made = [vectors(number) for number in range(len(chunks))]
    audio, text = (torch.cat(side).requires_grad_() for side in zip(*made, strict=True))
    loss = symmetric_cross_entropy(audio, text, trainee.scale, batch.same)
    loss.backward()
    assert audio.grad is not None
    assert text.grad is not None
    for number, rows in enumerate(chunks):
        sounds, texts = vectors(number)
        ((sounds * audio.grad[rows]).sum() + (texts * text.grad[rows]).sum()).backward()
    return float(loss.detach())
