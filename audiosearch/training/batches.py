"""The batches of an epoch: windows and texts, each drawn by a generator of its own.

What a sound gives in an epoch depends on the seed, the epoch and the sound alone: so a run that was
stopped goes on with the same bits. A text is in the model's template half of the time, for queries
come in it and descriptions do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from audiosearch.models.bundle import Bundle
from audiosearch.models.frontend import mel_matrix
from audiosearch.models.model import apply_template
from audiosearch.models.torch_tower import log_mel
from audiosearch.models.towers import open_tokenizer
from audiosearch.training.augmentation import augment
from audiosearch.training.decoded import Decoded
from audiosearch.training.loss import same_pairs
from audiosearch.training.trainee import Trainee


@dataclass(frozen=True)
class Learnt:
    """Sounds to learn from: `files` (n,) are their numbers in `decoded`, `captions` those of each."""

    decoded: Decoded
    files: np.ndarray
    captions: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Batch:
    """`pictures` (n, 1, frames, mels), `ids` and `mask` (n, tokens), `same` (n, n) as in `loss`."""

    pictures: torch.Tensor
    ids: torch.Tensor
    mask: torch.Tensor
    same: torch.Tensor


class Maker:
    """It makes pictures and tokens as the model of `trainee` reads them, on a device."""

    def __init__(self, trainee: Trainee, device: str, kind: str, seed: int) -> None:
        self._bundle: Bundle = trainee.parts.bundle
        self._tokenizer = open_tokenizer(trainee.parts.tokenizer, self._bundle.max_tokens)
        self._pad = trainee.parts.pad
        self._mel = torch.from_numpy(mel_matrix(self._bundle.front_end)).to(device)
        self._device = device
        self._kind = kind
        self._seed = seed

    def pictures(self, windows: torch.Tensor) -> torch.Tensor:
        """Return (n, 1, frames, mels) of windows (n, samples) on the device."""
        # One at a time on a CPU: its frames stay in the cache, which is three times as fast.
        parts = windows.split(1) if self._device == "cpu" else (windows,)
        made = [log_mel(part, self._mel, self._bundle.front_end) for part in parts]
        return torch.cat(made)[:, None]

    def tokens(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and mask (n, tokens), padded to the longest."""
        rows = [self._tokenizer.encode(text).ids for text in texts]
        ids = torch.full((len(rows), max(map(len, rows))), self._pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = 1
        return ids.to(self._device), mask.to(self._device)

    def template(self, text: str) -> str:
        """The text as a search puts it."""
        return apply_template(self._bundle.query_template, text)

    def plan(self, learnt: Learnt, epoch: int, size: int) -> list[np.ndarray]:
        """The batches of an epoch, as places in `learnt`: nearly equal, none larger than `size`."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(learnt.files))
        return np.array_split(order, -(-len(order) // size))

    def windows(
        self, learnt: Learnt, epoch: int, places: np.ndarray
    ) -> tuple[torch.Tensor, list[np.random.Generator]]:
        """Draw a window (n, samples) of each place; the generators draw what else it needs."""
        decoded = learnt.decoded
        generators = [np.random.default_rng([self._seed, epoch, int(place)]) for place in places]
        rows = []
        for file, rng in zip(learnt.files[places], generators, strict=True):
            number = decoded.first[file] + rng.integers(decoded.count[file])
            rows.append(decoded.window(int(number)))
        return torch.from_numpy(np.stack(rows)).to(self._device), generators

    def batch(self, learnt: Learnt, epoch: int, places: np.ndarray) -> Batch:
        """Draw a window and a text of each place."""
        samples, generators = self.windows(learnt, epoch, places)
        texts, others = [], []
        for place, rng in zip(places, generators, strict=True):
            captions = learnt.captions[place]
            text = captions[int(rng.integers(len(captions)))]
            texts.append((self.template(text) if rng.random() < 0.5 else text, text))
            behind = learnt.files[int(rng.integers(len(learnt.files)))]
            others.append(learnt.decoded.window(int(learnt.decoded.first[behind])))
        if self._kind == "full":
            from audiosearch.training.rooms import vary

            rate = self._bundle.front_end.sampling_rate
            rows = zip(samples, generators, strict=True)
            samples = torch.stack([vary(row, rate, rng) for row, rng in rows])
        if self._kind != "none":
            behind_them = torch.from_numpy(np.stack(others)).to(self._device)
            samples = augment(samples, behind_them, generators)
        ids, mask = self.tokens([spoken for spoken, _ in texts])
        same = same_pairs(learnt.files[places], [text for _, text in texts])
        return Batch(self.pictures(samples), ids, mask, same.to(self._device))
