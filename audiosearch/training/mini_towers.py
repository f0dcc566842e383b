"""The towers of mini as PyTorch modules, and the way back from a bundle's graphs to their weights.

`AudioTower`: decibels (batch, 1, frames, 64) -> unit vectors (batch, 512). `TextHead`: MiniLM
sentence vectors (batch, 384) -> unit vectors (batch, 512). A graph holds convolutions with their
batch norms folded in; `load_audio` puts them into a tower whose norms only add the bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WIDTHS = (32, 64, 128, 256)
BANDS = 64
FEATURES = 640
DIMENSION = 512


class HalvingPool(nn.Module):
    """Average of 2 x 2, odd sizes rounded up by repeating the edge.

    `AvgPool2d(ceil_mode=True)` is the same, but exports wrongly to ONNX (it divides the edge by
    four), while the padding cannot be differentiated under `torch.compile` in channels-last order:
    so one for training, one for export.
    """

    exporting = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.exporting:
            return functional.avg_pool2d(x, 2, ceil_mode=True)
        # Padding by one and pooling with floor: an even size ignores the pad.
        return functional.avg_pool2d(functional.pad(x, (0, 1, 0, 1), mode="replicate"), 2)


def _convolution(entering: int, leaving: int, kernel: int, stride: int = 1) -> nn.Sequential:
    padding = kernel // 2
    return nn.Sequential(
        nn.Conv2d(entering, leaving, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(leaving, momentum=0.02),
    )


class Gate(nn.Module):
    """Weighs each channel by what the whole scene holds (squeeze-excite, Hu et al. 2018); by one
    at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, width // 8, 1)
        self.expand = nn.Conv2d(width // 8, width, 1)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scene = torch.relu(self.reduce(x.mean((2, 3), keepdim=True)))
        return x * (2 * torch.sigmoid(self.expand(scene)))


class Residual(nn.Module):
    """Two 3 x 3 convolutions and a shortcut; the first of a stage halves both axes and widens."""

    def __init__(self, entering: int, leaving: int, stride: int, gated: bool) -> None:
        super().__init__()
        self.c1 = _convolution(entering, leaving, 3, stride)
        self.c2 = _convolution(leaving, leaving, 3)
        self.gate: nn.Module = Gate(leaving) if gated else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(HalvingPool(), _convolution(entering, leaving, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.gate(self.c2(torch.relu(self.c1(x)))) + self.shortcut(x))


@dataclass(frozen=True)
class Shape:
    """How an audio tower is built: blocks in each stage, and whether it has gates and a bias for
    each band."""

    depths: tuple[int, int, int, int] = (2, 2, 2, 2)
    gated: bool = False


SMALL = Shape()  # mini-0 to revision 2
GROWN = Shape((2, 2, 3, 3), gated=True)


class AudioTower(nn.Module):
    """Decibels (batch, 1, frames, 64) -> unit vectors (batch, 512); any number of frames."""

    def __init__(self, shape: Shape = SMALL) -> None:
        super().__init__()
        self.shape = shape
        self.stem = nn.Sequential(
            nn.Conv2d(1, WIDTHS[0], (7, 5), (4, 2), (3, 2), bias=False),
            nn.BatchNorm2d(WIDTHS[0], momentum=0.02),
        )
        # Convolutions do not know where they are: without this a high note is as a low one.
        self.bands = nn.Parameter(torch.zeros(1, WIDTHS[0], 1, BANDS // 2)) if shape.gated else None
        blocks: list[nn.Module] = []
        entering = WIDTHS[0]
        for width, depth in zip(WIDTHS, shape.depths, strict=True):
            blocks.append(Residual(entering, width, 2, shape.gated))
            blocks += [Residual(width, width, 1, shape.gated) for _ in range(depth - 1)]
            entering = width
        self.body = nn.Sequential(*blocks)
        self.head = _convolution(entering, FEATURES, 1)
        self.proj = nn.Linear(FEATURES, DIMENSION)

    def maps(self, decibels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the third stage hears, (batch, 128, frames / 32, 4), and the head, (batch, 640,
        frames / 64, 2)."""
        third = sum(self.shape.depths[:3])
        heard = self.stem((decibels + 35) / 20)
        if self.bands is not None:
            heard = heard + self.bands
        middle = self.body[:third](torch.relu(heard))
        return middle, torch.relu(self.head(self.body[third:](middle)))

    def features(self, decibels: torch.Tensor) -> torch.Tensor:
        """(batch, 640) before the projection."""
        return pooled(self.maps(decibels)[1])

    def forward(self, decibels: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.proj(self.features(decibels)), dim=-1)


def pooled(late: torch.Tensor) -> torch.Tensor:
    """The head's map (batch, 640, frames / 64, 2) -> features (batch, 640)."""
    return late.mean((2, 3)) + 0.5 * late.amax((2, 3))


class TextHead(nn.Module):
    """t -> normalise(c t + b gelu(a t)): sentence vectors (batch, 384) -> unit vectors (batch,
    512)."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Linear(384, DIMENSION)
        self.a = nn.Linear(384, 1024)
        self.b = nn.Linear(1024, DIMENSION)

    def forward(self, sentence: torch.Tensor) -> torch.Tensor:
        return functional.normalize(
            self.c(sentence) + self.b(functional.gelu(self.a(sentence))), dim=-1
        )


def normed(tower: AudioTower) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """(convolution, norm) in the order in which the graph of a bundle runs them."""
    pairs = []
    for module in tower.modules():
        if isinstance(module, nn.Sequential) and isinstance(module[0], nn.Conv2d):
            conv, norm = module[0], module[1]
            assert isinstance(norm, nn.BatchNorm2d)
            pairs.append((conv, norm))
    return pairs


def graph_weights(path: Path) -> dict[str, np.ndarray]:
    """Every weight of a graph by the name under which its nodes read it; halves as fp32."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]].astype(np.float32)
    return weights


def _shape_of(kernels: list[np.ndarray]) -> Shape:
    """The shape of the tower whose graph runs convolutions with these kernels, in order."""
    threes = [kernel.shape[0] for kernel in kernels if kernel.shape[2:] == (3, 3)]
    first, second, third, fourth = (threes.count(width) // 2 for width in WIDTHS)
    # Without gates only shortcuts and the head are 1 x 1.
    gated = sum(kernel.shape[2:] == (1, 1) for kernel in kernels) > len(WIDTHS) + 1
    return Shape((first, second, third, fourth), gated)


def load_audio(path: Path) -> AudioTower:
    """The audio tower of a bundle's `audio.onnx`: its folded convolutions, with norms that do
    nothing but add the bias."""
    import onnx

    weights = graph_weights(path)
    graph = onnx.load(path).graph
    convs = [node for node in graph.node if node.op_type == "Conv"]
    kernels = [weights[node.input[1]].copy() for node in convs]
    tower = AudioTower(_shape_of(kernels))
    norms = dict(normed(tower))
    modules = [m for m in tower.modules() if isinstance(m, nn.Conv2d)]
    for conv, node, kernel in zip(modules, convs, kernels, strict=True):
        conv.weight.data = torch.from_numpy(kernel)
        bias = torch.from_numpy(weights[node.input[2]].copy())
        if conv not in norms:
            conv.bias = nn.Parameter(bias)
            continue
        norm = norms[conv]
        norm.bias.data = bias
        norm.weight.data.fill_(1.0)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)
    if tower.bands is not None:
        tower.bands.data = torch.from_numpy(weights["bands"].copy())
    (projection,) = (node for node in graph.node if node.op_type == "Gemm")
    tower.proj.weight.data = torch.from_numpy(weights[projection.input[1]].copy())
    tower.proj.bias.data = torch.from_numpy(weights[projection.input[2]].copy())
    return tower.eval()


def _spread(weights: dict[str, np.ndarray], layer: str) -> np.ndarray:
    """(leaving, entering) fp32: a layer of the text head that a graph keeps in fp16 or int8.

    `scripts.mini.export` keeps rows with their scales; mini-0's graph, made by onnxruntime, keeps
    columns with scales and zero points.
    """
    ours = f"head.{layer}.weight"
    if ours in weights:
        return weights[ours].copy()
    if f"{ours}.int8" in weights:
        return weights[f"{ours}.int8"].astype(np.float32) * weights[f"{ours}.scale"]
    stem = f"T.{layer}.weight_Transposed"
    whole = weights[f"{stem}_quantized"].astype(np.float32) - weights[f"{stem}_zero_point"]
    return np.ascontiguousarray((whole * weights[f"{stem}_scale"]).T)


def load_text(path: Path) -> TextHead:
    """The projection of a bundle's `text.onnx`, whose int8 weights are spread out."""
    weights = graph_weights(path)
    head = TextHead()
    for name in "abc":
        layer = getattr(head, name)
        layer.weight.data = torch.from_numpy(_spread(weights, name))
        biases = (weights.get(f"{part}.{name}.bias") for part in ("head", "T"))
        layer.bias.data = torch.from_numpy(next(b for b in biases if b is not None).copy())
    return head.eval()
