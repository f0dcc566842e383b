"""The teacher: EfficientAT's mn04 (F. Schmid), an AudioSet tagger, written from the facts beside
its weights.

A MobileNetV3 of width 0.4: (batch, 1, 128 mels, frames) -> 527 logits and a 384-d embedding. It
labels mixtures and is never part of the bundle. `python -m scripts.mini.teacher --shared ../shared`
counts the ESC-10 clips that it names.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from scripts.mini.frontend import teacher_features

# (kernel, squeeze-excite, hard-swish, stride) of each inverted residual; widths come from the
# weights.
BLOCKS = (
    (3, False, False, 1),
    (3, False, False, 2),
    (3, False, False, 1),
    (5, True, False, 2),
    (5, True, False, 1),
    (5, True, False, 1),
    (3, False, True, 2),
    (3, False, True, 1),
    (3, False, True, 1),
    (3, False, True, 1),
    (3, True, True, 1),
    (3, True, True, 1),
    (5, True, True, 2),
    (5, True, True, 1),
    (5, True, True, 1),
)

MIDDLE = 12  # the last block before the last halving

# AudioSet labels that count as each ESC-10 class.
ESC10 = {
    "dog bark": ("Bark", "Dog"),
    "rain": ("Rain", "Raindrop", "Rain on surface"),
    "sea waves": ("Waves, surf", "Ocean"),
    "baby cry": ("Baby cry, infant cry", "Crying, sobbing"),
    "clock tick": ("Tick-tock", "Tick", "Clock"),
    "person sneeze": ("Sneeze",),
    "helicopter": ("Helicopter",),
    "chainsaw": ("Chainsaw",),
    "rooster": ("Crowing, cock-a-doodle-doo", "Chicken, rooster"),
    "fire crackling": ("Crackle", "Fire"),
}


class SqueezeExcite(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.fc2(torch.relu(self.fc1(x.mean((2, 3)))))
        return x * torch.sigmoid(gate)[:, :, None, None]


class Block(nn.Module):
    """Expand (unless the widths agree), depthwise, squeeze-excite, project; with a residual where
    shapes allow."""

    def __init__(self, layers: list[nn.Module], residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.residual else y


def _folded(weights: dict[str, torch.Tensor], name: str, stride: int, groups: int) -> nn.Conv2d:
    """The convolution `name`.0 with its batch norm `name`.1 (epsilon 1e-3) folded in."""
    kernel = weights[f"{name}.0.weight"]
    scale = weights[f"{name}.1.weight"] / (weights[f"{name}.1.running_var"] + 1e-3).sqrt()
    conv = nn.Conv2d(
        kernel.shape[1] * groups,
        kernel.shape[0],
        kernel.shape[-1],
        stride,
        kernel.shape[-1] // 2,
        groups=groups,
    )
    conv.weight.data = kernel * scale[:, None, None, None]
    conv.bias.data = weights[f"{name}.1.bias"] - weights[f"{name}.1.running_mean"] * scale
    return conv


class Teacher(nn.Module):
    """`forward`: features (batch, 1, 128, frames) -> (logits (batch, 527), embedding (batch,
    384))."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        layers: list[nn.Module] = [_folded(weights, "features.0", 2, 1), nn.Hardswish()]
        for index, (kernel, excite, swish, stride) in enumerate(BLOCKS, 1):
            name = f"features.{index}.block"
            parts: list[nn.Module] = []
            place = 0
            if f"{name}.2.0.weight" in weights or f"{name}.3.0.weight" in weights:  # expansion
                parts += [
                    _folded(weights, f"{name}.0", 1, 1),
                    nn.Hardswish() if swish else nn.ReLU(),
                ]
                place = 1
            width = weights[f"{name}.{place}.0.weight"].shape[0]
            depthwise = _folded(weights, f"{name}.{place}", stride, width)
            assert depthwise.kernel_size == (kernel, kernel)
            parts += [depthwise, nn.Hardswish() if swish else nn.ReLU()]
            if excite:
                se = f"{name}.{place + 1}.conc_se_layers.0"
                gate = SqueezeExcite(width, weights[f"{se}.fc1.weight"].shape[0])
                for part in ("fc1", "fc2"):
                    getattr(gate, part).weight.data = weights[f"{se}.{part}.weight"]
                    getattr(gate, part).bias.data = weights[f"{se}.{part}.bias"]
                parts.append(gate)
                place += 1
            project = _folded(weights, f"{name}.{place + 1}", 1, 1)
            parts.append(project)
            entering = parts[0].in_channels if isinstance(parts[0], nn.Conv2d) else 0
            layers.append(Block(parts, stride == 1 and entering == project.out_channels))
        layers += [_folded(weights, "features.16", 1, 1), nn.Hardswish()]
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Linear(384, 512)
        self.classes = nn.Linear(512, 527)
        for layer, name in ((self.hidden, "classifier.2"), (self.classes, "classifier.5")):
            layer.weight.data = weights[f"{name}.weight"]
            layer.bias.data = weights[f"{name}.bias"]
        self.eval().requires_grad_(False)

    def maps(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What `forward` gives, and what it hears on the way: (batch, 48, mels / 16, frames / 16)
        and (batch, 384, mels / 32, frames / 32)."""
        middle = self.features[: MIDDLE + 1](features)
        late = self.features[MIDDLE + 1 :](middle)
        embedding = late.mean((2, 3))
        logits = self.classes(nn.functional.hardswish(self.hidden(embedding)))
        return logits, embedding, middle, late

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, embedding, _, _ = self.maps(features)
        return logits, embedding


def load(shared: Path) -> Teacher:
    """The teacher, in channels-last order: a convolution of few channels is twice as fast there."""
    path = shared / "models" / "teachers" / "mn04_as_mAP_432.pt"
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return Teacher(weights).to(memory_format=torch.channels_last)


def load_quick(shared: Path) -> tuple[Teacher, torch.dtype]:
    """The teacher in bfloat16 where the processor has it, which is twice as fast there and moves a
    logit by 0.02 on average; and the type that it takes."""
    kind = torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
    return load(shared).to(kind), kind


def labels(shared: Path) -> list[str]:
    """The 527 AudioSet class names, in the order of the logits."""
    path = shared / "models" / "teachers" / "audioset_labels.json"
    return list(json.loads(path.read_text(encoding="utf-8")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    args = parser.parse_args()
    from scripts.mini.corpus import decode

    teacher = load(args.shared)
    names = labels(args.shared)
    root = args.shared / "data" / "esc10"
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    classes = sorted({row["label"] for row in rows})
    columns = [[names.index(n) for n in ESC10[c]] for c in classes]
    right = 0
    for row in rows:
        features = teacher_features(decode(root / row["file"]).astype(np.float32) / 32768)
        logits = teacher(torch.from_numpy(features)[None, None])[0][0]
        best = max(range(len(classes)), key=lambda i: float(logits[columns[i]].max()))
        right += classes[best] == row["label"]
    print(f"{right} of {len(rows)} named by the teacher's own labels")


if __name__ == "__main__":
    main()
