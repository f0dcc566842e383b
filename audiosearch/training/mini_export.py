"""The towers of mini as ONNX graphs, with their weights in fp16 and their arithmetic in fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from audiosearch.training.mini_towers import AudioTower, HalvingPool, TextHead

OPSET = 17
SMALLEST_LOWERED = 4096  # values; biases and norms stay as they are


class TextTower(nn.Module):
    """Token numbers and mask (batch, tokens) -> unit vectors (batch, 512)."""

    def __init__(self, language: nn.Module, head: TextHead) -> None:
        super().__init__()
        self.language, self.head = language, head

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.language(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp_min(1e-9)
        return self.head(nn.functional.normalize(mean, dim=-1))


def export_audio(tower: AudioTower, path: Path) -> None:
    """The audio tower, batch and frames free. Norms are folded into the convolutions by the
    exporter."""
    HalvingPool.exporting = True
    try:
        torch.onnx.export(
            tower.float().to(memory_format=torch.contiguous_format),
            (torch.full((2, 1, 500, 64), -40.0),),
            str(path),
            input_names=["input_features"],
            output_names=["embedding"],
            dynamic_axes={"input_features": {0: "batch", 2: "frames"}, "embedding": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    finally:
        HalvingPool.exporting = False


def halve_weights(path: Path) -> None:
    """Keep the large weights of a graph in fp16, cast to fp32 when it is loaded: half the size, and
    arithmetic as before."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if np.prod(tensor.dims) < SMALLEST_LOWERED:
            continue
        name, whole = tensor.name, numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(whole.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def export_text(language: nn.Module, head: TextHead, path: Path) -> None:
    """The text tower in fp32, batch and tokens free."""
    ids = torch.tensor([[101, 3899, 102], [101, 4937, 102]])
    torch.onnx.export(
        TextTower(language, head).eval(),
        (ids, torch.ones_like(ids)),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={
            "input_ids": {0: "batch", 1: "tokens"},
            "attention_mask": {0: "batch", 1: "tokens"},
            "embedding": {0: "batch"},
        },
        opset_version=OPSET,
        dynamo=False,
    )
