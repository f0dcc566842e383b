"""Muon for the convolutions, AdamW for the rest.

Muon (K. Jordan, 2024) replaces a matrix's momentum by the nearest orthogonal matrix, found by a few
Newton-Schulz steps, so that every direction of the layer learns at one speed.
"""

from __future__ import annotations

import torch
from torch import nn

# Coefficients of the quintic iteration, chosen by its author for speed: singular values end within
# 0.7 to 1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The orthogonal factor of `matrix` (rows, columns), roughly, in bfloat16."""
    a, b, c = QUINTIC
    x = matrix.bfloat16()
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum with Nesterov's look ahead, made orthogonal; `lr` is the root mean square of a step
    times sqrt(columns)."""

    def __init__(
        self,
        parameters: list[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                mean = state["momentum"]
                mean.lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(mean, group["momentum"]).flatten(1)
                # 0.2 sqrt(longer side): a step as large as AdamW's (Moonlight, arXiv 2502.16982).
                size = 0.2 * max(ahead.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(orthogonal(ahead).view_as(weight), alpha=-group["lr"] * size)


def optimisers(
    tower: nn.Module, others: list[nn.Module], kind: str, lr: float
) -> list[torch.optim.Optimizer]:
    """The optimisers of a run: `kind` is "muon" (convolutions by Muon, the rest by AdamW) or
    "adamw" (everything)."""
    matrices: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, weight in tower.named_parameters():
        matrix = weight.ndim == 4 and not name.startswith(("stem", "bands"))
        by_muon = kind == "muon" and matrix
        (matrices if by_muon else plain).append(weight)
    heads = [weight for module in others for weight in module.parameters()]
    decayed = [w for w in plain + heads if w.ndim > 1]
    free = [w for w in plain + heads if w.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": free, "weight_decay": 0.0}]
    result: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), eps=1e-8)
    ]
    if matrices:
        result.append(Muon(matrices, lr=lr, weight_decay=0.01))
    return result
