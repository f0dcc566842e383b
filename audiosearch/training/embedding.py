"""Sounds and captions as the towers in training embed them, and how well they find each other.

A sound is scored by its best window and a caption is put in the model's template, as in a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from audiosearch.evaluation import retrieval
from audiosearch.training.batches import Learnt, Maker
from audiosearch.training.trainee import Trainee

# Enough to fill a GPU; on a CPU more than one are hardly faster.
_AT_ONCE = 16

FIGURES = ("recall@1", "recall@5", "recall@10", "mAP@10")


@dataclass(frozen=True)
class Retrieved:
    """For each query its figures, (queries,) each: `to_audio` by captions, `to_text` by sounds."""

    to_audio: dict[str, np.ndarray]
    to_text: dict[str, np.ndarray]

    @property
    def map(self) -> float:
        """The mean of mAP@10 both ways: what an epoch is chosen by."""
        return float(self.to_audio["mAP@10"].mean() + self.to_text["mAP@10"].mean()) / 2


@torch.no_grad()
def embed_windows(trainee: Trainee, maker: Maker, learnt: Learnt, device: str) -> list[np.ndarray]:
    """Return the vectors (windows, d) of each sound."""
    decoded = learnt.decoded
    made = []
    for file in learnt.files:
        numbers = range(decoded.first[file], decoded.first[file] + decoded.count[file])
        rows = []
        for begin in range(0, len(numbers), _AT_ONCE):
            some = np.stack([decoded.window(n) for n in numbers[begin : begin + _AT_ONCE]])
            pictures = maker.pictures(torch.from_numpy(some).to(device))
            rows.append(trainee.embed_pictures(pictures).cpu().numpy())
        made.append(np.concatenate(rows))
    return made


@torch.no_grad()
def embed_texts(trainee: Trainee, maker: Maker, texts: Sequence[str]) -> np.ndarray:
    """Return the vectors (n, d) of texts, each in the template."""
    rows = []
    for begin in range(0, len(texts), _AT_ONCE):
        some = [maker.template(text) for text in texts[begin : begin + _AT_ONCE]]
        rows.append(trainee.embed_tokens(*maker.tokens(some)).cpu().numpy())
    return np.concatenate(rows)


def retrieve(trainee: Trainee, maker: Maker, learnt: Learnt, device: str) -> Retrieved:
    """Search the sounds by their captions, and the captions by their sounds."""
    trainee.learn(False)
    captions = list(dict.fromkeys(text for texts in learnt.captions for text in texts))
    texts = embed_texts(trainee, maker, captions)
    windows = embed_windows(trainee, maker, learnt, device)
    scores = np.stack([(texts @ rows.T).max(axis=1) for rows in windows], axis=1)
    relevant = np.array([[text in own for own in learnt.captions] for text in captions])
    return Retrieved(_figures(scores, relevant), _figures(scores.T, relevant.T))


def _figures(scores: np.ndarray, relevant: np.ndarray) -> dict[str, np.ndarray]:
    recalls = {f"recall@{k}": retrieval.recall_at(scores, relevant, k) for k in (1, 5, 10)}
    return {**recalls, "mAP@10": retrieval.average_precision(scores, relevant, 10)}
