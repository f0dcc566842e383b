"""The loss: symmetric cross-entropy over the pairs of a batch (CLAP, arXiv 2206.04769, section 2).

`audio` and `text` (n, d) are unit vectors of n pairs, `scale` is the logarithm of one over the
temperature. `same` (n, n) bool is true on the diagonal, and where another pair says the same: the
paper has no such pairs, and a class has nothing else. Without them this is the paper's loss.
"""

from __future__ import annotations

import math

import numpy as np
import torch

# CLIP's: sharper than this, the loss is noise (Radford et al. 2021, section 2.5).
SHARPEST = math.log(100.0)


def symmetric_cross_entropy(
    audio: torch.Tensor, text: torch.Tensor, scale: torch.Tensor, same: torch.Tensor
) -> torch.Tensor:
    """Return the mean of both directions: which text is this sound's, which sound is this text's."""
    logits = scale.clamp(max=SHARPEST).exp() * audio @ text.T
    target = same.to(logits.dtype)
    by_sound = -(target / target.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    by_text = -(target / target.sum(0, keepdim=True) * logits.log_softmax(0)).sum(0).mean()
    return (by_sound + by_text) / 2


def same_pairs(sounds: np.ndarray, texts: list[str]) -> torch.Tensor:
    """Return (n, n) bool: pairs of one sound (numbers (n,)) or of one text."""
    _, number = np.unique(np.array(texts, dtype=object), return_inverse=True)
    alike = (sounds[:, None] == sounds) | (number[:, None] == number)
    return torch.from_numpy(alike)
