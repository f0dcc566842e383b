"""A model as something that can be trained: two towers, a temperature, and the way to a bundle.

Pictures are (n, 1, frames, mels), the decibels of `models.frontend`; tokens and mask are (n,
tokens). Both towers give unit vectors (n, d). Where the weights come from is `mini`'s graphs, a
`ClapModel` of transformers, or an MS-CLAP file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audiosearch.models.bundle import Bundle
from audiosearch.training.loss import SHARPEST
from audiosearch.training.options import TrainingFailed

# Writes audio.onnx, text.onnx and tokenizer.json to a directory, and what else there is to say in
# its model.json.
Write = Callable[["Trainee", Path], dict[str, Any]]

# The vectors of words, by the names of BERT and RoBERTa, and of GPT-2.
_WORDS = ("word_embeddings", ".wte.")


@dataclass(frozen=True)
class Parts:
    """What a source of weights gives. `module` holds every weight once; `audio` and `text` are towers
    over it. `trunk` names the trunk that a weight belongs to (``audio``, ``text``), or says
    ``projection``, or nothing for a weight that is not used. `pad` fills up short texts.
    """

    module: nn.Module
    audio: nn.Module
    text: nn.Module
    trunk: Callable[[str], str]
    bundle: Bundle
    tokenizer: Path
    pad: int
    write: Write


class Trainee(nn.Module):
    """The towers of `parts`, and a learned temperature that begins at the bundle's."""

    def __init__(self, parts: Parts, *, scratch: bool = False) -> None:
        super().__init__()
        self.module = parts.module
        self.scale = nn.Parameter(torch.tensor(min(math.log(parts.bundle.logit_scale), SHARPEST)))
        # In a tuple, so that what both towers share is not registered twice.
        self._towers = (parts.audio, parts.text)
        self.parts = parts
        self.scratch = scratch

    def embed_pictures(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the unit vectors (n, d) float32 of pictures."""
        vectors: torch.Tensor = self._towers[0](pictures)
        return vectors.float()

    def embed_tokens(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the unit vectors (n, d) float32 of texts."""
        vectors: torch.Tensor = self._towers[1](ids, mask)
        return vectors.float()

    def move(self, device: str) -> None:
        """Bring everything to a device, what only the towers hold as well."""
        self.to(device)
        for tower in self._towers:
            tower.to(device)

    def learn(self, on: bool) -> None:
        """Switch dropout on or off. Batch norms keep the statistics that they came with: those of a
        small batch are worse. From scratch there are none.
        """
        for part in (self, *self._towers):
            part.train(on)
        if not self.scratch:
            for layer in self.module.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()

    def freeze(self, which: str) -> None:
        """Keep trunks as they are: those of ``audio``, ``text``, or ``both-but-projections``."""
        frozen = {
            "none": set[str](),
            "audio": {"audio"},
            "text": {"text"},
            "both-but-projections": {"audio", "text"},
        }[which]
        for name, weight in self.module.named_parameters():
            trunk = self.parts.trunk(name)
            # A word that training never sees must keep its place among those that it does.
            table = any(part in name for part in _WORDS) and not self.scratch
            weight.requires_grad_(bool(trunk) and trunk not in frozen and not table)

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """The weights that learn, by rate and decay: trunks at a tenth of the projections' rate, for
        they know much already; from scratch all at one.
        """
        rates = {"projection": rate}
        trunk_rate = rate if self.scratch else rate / 10
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, weight in self.module.named_parameters():
            if weight.requires_grad:
                own = rates.get(self.parts.trunk(name), trunk_rate)
                groups.setdefault((own, 0.01 if weight.ndim > 1 else 0.0), []).append(weight)
        groups.setdefault((rate, 0.0), []).append(self.scale)
        return [
            {"params": weights, "lr": own, "full": own, "weight_decay": decay}
            for (own, decay), weights in groups.items()
        ]

    def weights(self) -> dict[str, torch.Tensor]:
        """Every weight that learns by its name, the temperature, and from scratch what norms count."""
        learning = {name for name, weight in self.module.named_parameters() if weight.requires_grad}
        if self.scratch:
            learning |= {name for name, _ in self.module.named_buffers()}
        kept = {f"module.{n}": v for n, v in self.module.state_dict().items() if n in learning}
        return {"scale": self.scale.detach(), **kept}

    def load(self, tensors: dict[str, torch.Tensor], where: Path) -> None:
        """Take weights that `weights` gave. Raises `TrainingFailed` for those of another model."""
        own = self.weights()
        other = sorted(
            name
            for name in own.keys() | tensors.keys()
            if name not in own or name not in tensors or own[name].shape != tensors[name].shape
        )
        if other:
            raise TrainingFailed(
                f"{where} is of another architecture than {self.parts.bundle.name}: its "
                f"{other[0].removeprefix('module.')} and {len(other) - 1} others do not fit"
            )
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(tensors[name])

    def write(self, directory: Path) -> dict[str, Any]:
        """Write the bundle's files but `model.json`, and return what is to be said there."""
        self.move("cpu")
        self.learn(False)
        scale = float(self.scale.detach().clamp(max=SHARPEST).exp())
        return {**self.parts.write(self, directory), "logit_scale": scale}
