"""The language model inside mini's `text.onnx` (MiniLM-L6, a BERT), as a module of transformers.

A graph names what it holds: tables, norms and biases by the module's own names, and a matrix by the
node that multiplies with it. So every weight can be read back; none is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertModel

from audiosearch.errors import ModelBroken

_HEAD = 32  # values of an attention head of MiniLM
_PREFIX = "language."


def load_language(path: Path) -> BertModel:
    """Return the language model of a text tower that `mini_export.export_text` has written, in
    whatever precision its weights are stored. Raises `ModelBroken` for another graph.
    """
    weights = _weights(path)
    table = weights.get("embeddings.word_embeddings.weight")
    inner = weights.get("encoder.layer.0.intermediate.dense.weight")
    if table is None or inner is None:
        raise ModelBroken(f"{path} cannot be trained: it does not hold the language model of mini")
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layer.")}
    config = BertConfig(
        vocab_size=table.shape[0],
        hidden_size=table.shape[1],
        num_hidden_layers=len(layers),
        num_attention_heads=table.shape[1] // _HEAD,
        intermediate_size=inner.shape[0],
        max_position_embeddings=weights["embeddings.position_embeddings.weight"].shape[0],
        # Fine-tuning on a few hundred texts: what dropout blurs is finer than what tells two apart.
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    state = {name: torch.from_numpy(value.copy()) for name, value in weights.items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        line = " ".join(str(error).split())[:200]
        raise ModelBroken(f"{path} cannot be trained: {line}") from error
    return model


def _weights(path: Path) -> dict[str, np.ndarray]:
    """Every weight of the language model by the module's names, float32."""
    import onnx

    graph = onnx.load(path).graph
    known = _folded(graph)
    weights = {}
    for name, value in known.items():
        if name.startswith(_PREFIX) and value.dtype == np.float32 and not name.endswith(".scale"):
            weights[name.removeprefix(_PREFIX)] = value
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in known:
            # /language/encoder/layer.0/output/dense/MatMul_output_0: a linear layer, transposed.
            module = ".".join(node.output[0].strip("/").split("/")[:-1])
            if module.startswith(_PREFIX):
                matrix = known[node.input[1]]
                weights[f"{module.removeprefix(_PREFIX)}.weight"] = np.ascontiguousarray(matrix.T)
    return weights


def _folded(graph: object) -> Mapping[str, np.ndarray]:
    """The graph's weights and what it makes of them alone: casts, and products with scales."""
    from onnx import numpy_helper

    known = {t.name: numpy_helper.to_array(t) for t in graph.initializer}  # type: ignore[attr-defined]
    for name in [n for n in known if n.endswith(".int8")]:
        # Of a table in int8 the graph takes rows first, so that no node spreads the whole of it.
        stem = name.removesuffix(".int8")
        known[stem] = known[name].astype(np.float32) * known[f"{stem}.scale"]
    for node in graph.node:  # type: ignore[attr-defined]
        if node.op_type == "Cast" and node.input[0] in known:
            known.setdefault(node.output[0], known[node.input[0]].astype(np.float32))
    return known
