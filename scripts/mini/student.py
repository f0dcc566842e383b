"""The student: how the towers of mini (`audiosearch.training.mini_towers`) begin and grow.

`load_audio` and `load_text` start both from an earlier bundle: its graph holds convolutions with
their batch norms folded in, so fresh norms are inserted that leave the function as it is
(`insert_norms`).
"""

from __future__ import annotations

import torch
from torch import nn

from audiosearch.training.mini_towers import (
    BANDS,
    DIMENSION,
    FEATURES,
    GROWN,
    SMALL,
    WIDTHS,
    AudioTower,
    HalvingPool,
    Shape,
    TextHead,
    load_audio,
    load_text,
    normed,
    pooled,
)

__all__ = [
    "BANDS",
    "DIMENSION",
    "FEATURES",
    "GROWN",
    "SMALL",
    "TEACHER_DIMENSION",
    "WIDTHS",
    "AudioTower",
    "HalvingPool",
    "Shape",
    "TextHead",
    "begun",
    "finished",
    "grown",
    "insert_norms",
    "load_audio",
    "load_text",
    "pooled",
]

TEACHER_DIMENSION = 384


def begun(tower: AudioTower, decibels: torch.Tensor, stages: int) -> torch.Tensor:
    """What the first `stages` stages hear, (batch, `WIDTHS[stages - 1]`, frames, bands)."""
    heard = tower.stem((decibels + 35) / 20)
    if tower.bands is not None:
        heard = heard + tower.bands
    first: torch.Tensor = tower.body[: sum(tower.shape.depths[:stages])](torch.relu(heard))
    return first


def finished(
    tower: AudioTower, first: torch.Tensor, stages: int
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """`tower.maps` from where `begun` ended; after all four stages the third's map is gone."""
    if stages == 4:
        return None, torch.relu(tower.head(first))
    start, end = (sum(tower.shape.depths[:count]) for count in (stages, 3))
    middle = tower.body[start:end](first)
    return middle, torch.relu(tower.head(tower.body[end:](middle)))


@torch.no_grad()
def grown(tower: AudioTower, shape: Shape) -> AudioTower:
    """A larger tower that computes what `tower` does: added blocks pass everything on at first,
    and so do gates."""
    larger = AudioTower(shape)
    weights = larger.state_dict()
    target = source = 0
    for old, new in zip(tower.shape.depths, shape.depths, strict=True):
        for block in range(new):
            kept = f"body.{source + block}." if block < old else None
            for name in [n for n in weights if n.startswith(f"body.{target + block}.")]:
                own = name.removeprefix(f"body.{target + block}.")
                if kept is None and own in ("c2.1.weight", "c2.1.bias"):
                    weights[name].zero_()
                elif kept is not None and kept + own in tower.state_dict():
                    weights[name].copy_(tower.state_dict()[kept + own])
        source, target = source + old, target + new
    for name, value in tower.state_dict().items():
        if not name.startswith("body."):
            weights[name].copy_(value)
    larger.load_state_dict(weights)
    return larger.eval()


@torch.no_grad()
def insert_norms(tower: AudioTower, decibels: torch.Tensor) -> None:
    """Set every norm to the statistics of its input on `decibels`, and its gain and shift so that
    nothing changes.

    Without this the first training step would normalise activations that were never normalised.
    """
    seen: dict[nn.BatchNorm2d, tuple[torch.Tensor, torch.Tensor]] = {}

    def note(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        seen[norm] = (inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3)))

    hooks = [norm.register_forward_pre_hook(note) for _, norm in normed(tower)]
    tower.eval()(decibels)
    for hook in hooks:
        hook.remove()
    for norm, (mean, variance) in seen.items():
        old = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * old
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance.clamp_min(1e-6))
        norm.weight.copy_(old * (norm.running_var + norm.eps).sqrt())
        norm.bias.copy_(shift + mean * old)
