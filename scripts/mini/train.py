"""Train the student on labelled mixtures, starting from an earlier bundle.

`python -m scripts.mini.train --shared ../shared --work DIR --run NAME --minutes 70` needs `corpus`, `texts` and at least
some thousands of mixtures of `label`, which may still be running. The learning rate follows the time that was spent training, since
the clock, not the number of views, is what is limited; the log says how many views that was. Checkpoints every three minutes;
the same command takes up where it stopped.
"""

from __future__ import annotations

import argparse
import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from scripts.mini.corpus import Clip, held_out, open_corpus, read_groups
from scripts.mini.frontend import BYTE_STEP, BYTE_ZERO
from scripts.mini.label import Store, open_store
from scripts.mini.losses import Scales, caption_losses, class_losses, embedding_loss
from scripts.mini.optimiser import optimisers
from scripts.mini.student import (
    FEATURES,
    TEACHER_DIMENSION,
    AudioTower,
    TextHead,
    insert_norms,
    load_audio,
    load_text,
)

EXTRA_CAPTIONS = 128  # captions of other sounds beside those of the batch
AUDIBLE = -10.0  # a source further below the first, in dB, is not what a caption would mention
LOSS_WEIGHTS = {
    "bce": 1.0,
    "mse": 0.1,
    "over_classes": 0.5,
    "over_batch": 0.5,
    "to_caption": 0.5,
    "to_sound": 0.5,
    "embedding": 4.0,
}


@dataclass(frozen=True)
class Texts:
    """Sentence vectors of `texts.npz`, float32; `of_clip` is the caption's number for each clip."""

    classes: torch.Tensor
    captions: torch.Tensor
    bridge: torch.Tensor
    of_clip: np.ndarray
    allowed: np.ndarray


@dataclass(frozen=True)
class Batch:
    """decibels (batch, 1, frames, 64), teacher's logits and embedding, and each sound's captions (batch, 3), -1: none."""

    decibels: torch.Tensor
    logits: torch.Tensor
    embedding: torch.Tensor
    captions: torch.Tensor


def load_texts(work: Path, clips: list[Clip], banned: np.ndarray) -> Texts:
    """Texts of `work`; captions that only banned clips have are not `allowed`."""
    with np.load(work / "texts.npz") as file:
        place = {text: i for i, text in enumerate(file["strings"].tolist())}
        of_clip = np.array([place[clip.caption] for clip in clips])
        return Texts(
            torch.from_numpy(file["classes"]).float(),
            torch.from_numpy(file["captions"]).float(),
            torch.from_numpy(file["bridge"]).float(),
            of_clip,
            np.unique(of_clip[~banned]),
        )


def banned_clips(clips: list[Clip], excluded: set[str]) -> np.ndarray:
    """(clips,) True where a clip is excluded or held out."""
    families = {clip.family for clip in clips if clip.group in excluded}
    return np.array([clip.family in families or held_out(clip.family) for clip in clips])


def usable_rows(store: Store, banned: np.ndarray) -> np.ndarray:
    """Mixtures that are labelled for training and hold no banned clip."""
    rows = store.rows(1)
    sources = np.asarray(store.clips)[rows]
    return rows[~(banned[sources] & (sources >= 0)).any(1)]


def augment(mel: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Bytes (batch, frames, 64) -> decibels (batch, 1, frames, 64), turned in time, at another level, a band masked."""
    x = mel.float().mul_(BYTE_STEP).add_(BYTE_ZERO)
    for place in range(len(x)):
        x[place] = x[place].roll(int(rng.integers(x.shape[1])), 0)
        draw = rng.random()
        low, high = (-6, 6) if draw < 0.75 else (-20, -6) if draw < 0.9 else (-45, -20)
        x[place] += rng.uniform(low, high)
        if rng.random() < 0.5:
            width = int(rng.integers(2, 11))
            start = int(rng.integers(0, 64 - width))
            x[place, :, start : start + width] = float(x[place].mean())
    return x.clamp_(min=-100).unsqueeze(1)


def batches(store: Store, texts: Texts, banned: np.ndarray, size: int, seed: int) -> Iterator[Batch]:
    """Endless batches; mixtures that are labelled meanwhile join in."""
    rng = np.random.default_rng(seed)
    rows, looked = usable_rows(store, banned), time.monotonic()
    waiting = rng.permutation(rows)
    while True:
        if len(waiting) < size:
            waiting = rng.permutation(rows)
        picked, waiting = np.sort(waiting[:size]), waiting[size:]
        if time.monotonic() - looked > 30:
            fresh, looked = usable_rows(store, banned), time.monotonic()
            if len(fresh) > len(rows):
                new = np.setdiff1d(fresh, rows, assume_unique=True)
                waiting, rows = rng.permutation(np.concatenate([waiting, new])), fresh
        sources, levels = store.clips[picked], store.levels[picked]
        spoken = (sources >= 0) & (levels > AUDIBLE)
        yield Batch(
            augment(torch.from_numpy(store.mel[picked]), rng),
            torch.from_numpy(store.logits[picked]).float(),
            torch.from_numpy(store.embedding[picked]).float(),
            torch.from_numpy(np.where(spoken, texts.of_clip[sources], -1)),
        )


def ahead(source: Iterator[Batch], depth: int = 3) -> Iterator[Batch]:
    """`source`, prepared by a thread while the last batch is trained on."""
    ready: queue.Queue[Batch] = queue.Queue(depth)

    def fill() -> None:
        for item in source:
            ready.put(item)

    threading.Thread(target=fill, daemon=True).start()
    while True:
        yield ready.get()


class Student(nn.Module):
    """Everything that learns: both towers, the scales and the side head to the teacher's embedding."""

    def __init__(self, tower: AudioTower, text: TextHead, scales: Scales, side: nn.Linear) -> None:
        super().__init__()
        self.tower, self.text, self.scales, self.side = tower, text, scales, side

    def losses(self, batch: Batch, texts: Texts, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        features = self.tower.features(batch.decibels).float()
        f = functional.normalize(self.tower.proj(features), dim=-1)
        versions = torch.from_numpy(rng.integers(0, texts.classes.shape[1], 527))
        c = self.text(texts.classes[torch.arange(527), versions])
        losses = class_losses(f, c, batch.logits, self.scales)
        losses["embedding"] = embedding_loss(self.side(features), batch.embedding)
        # One column for each caption that the batch has, and some of other sounds.
        own = np.unique(batch.captions.numpy())
        other = rng.choice(texts.allowed, EXTRA_CAPTIONS, replace=False)
        columns = torch.from_numpy(np.union1d(own[own >= 0], other))
        forms = torch.from_numpy(rng.integers(0, texts.captions.shape[1], len(columns)))
        q = self.text(texts.captions[columns, forms])
        true = (batch.captions[:, :, None] == columns).any(1).float()
        heard = functional.logsigmoid(batch.logits) @ texts.bridge[columns].T
        losses |= caption_losses(f, q, true, heard - heard.mean(0), self.scales)
        return losses


@torch.no_grad()
def start_from(bundle: Path, store: Store, texts: Texts, banned: np.ndarray) -> Student:
    """A student that computes what `bundle` does, its norms, scales and side head fitted on 2,048 mixtures."""
    rows = usable_rows(store, banned)[:2048]
    tower, text = load_audio(bundle / "audio.onnx"), load_text(bundle / "text.onnx")
    decibels = augment(torch.from_numpy(store.mel[rows]), np.random.default_rng(0))
    insert_norms(tower, decibels[:512])
    tower.eval()
    features = torch.cat([tower.features(part) for part in decibels.split(128)])
    f = functional.normalize(tower.proj(features), dim=-1)
    logits = torch.from_numpy(store.logits[rows]).float()
    cosines = f @ text(texts.classes[:, 0]).T
    # The line through (cosine, logit) by least squares.
    x, y = cosines.flatten(), logits.flatten()
    scale = float(((x - x.mean()) * (y - y.mean())).mean() / x.var())
    offset = float(y.mean() - scale * x.mean())
    side = nn.Linear(FEATURES, TEACHER_DIMENSION)
    target = torch.from_numpy(store.embedding[rows]).float()
    wide = torch.cat([features, torch.ones(len(rows), 1)], 1)
    ridge = wide.T @ wide + 10.0 * torch.eye(wide.shape[1])
    solved = torch.linalg.solve(ridge, wide.T @ target)
    side.weight.copy_(solved[:-1].T)
    side.bias.copy_(solved[-1])
    return Student(tower, text, Scales(scale, offset), side)


def rate(progress: float, warm: float = 0.02, flat: float = 0.3) -> float:
    """Factor of the learning rate: up within 2 % of the time, flat to 30 %, then down to zero in a straight line."""
    if progress < warm:
        return progress / warm
    return 1.0 if progress < flat else max(0.0, (1 - progress) / (1 - flat))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", default="mini", help="name of the run: its folder in --work")
    parser.add_argument("--minutes", type=float, default=70.0)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--optimiser", choices=["muon", "adamw"], default="muon")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--captions", type=float, default=1.0, help="factor of the caption losses")
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups kept out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--float32", action="store_true", help="processors without bfloat16")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    folder = args.work / args.run
    folder.mkdir(exist_ok=True)
    clips, _ = open_corpus(args.work)
    excluded = set().union(*(read_groups(path) for path in args.exclude))
    banned = banned_clips(clips, excluded)
    store = open_store(args.work)
    texts = load_texts(args.work, clips, banned)
    student = start_from(args.shared / "models" / "mini-0", store, texts, banned)
    student = student.to(memory_format=torch.channels_last)
    others: list[nn.Module] = [student.text, student.scales, student.side]
    steppers = optimisers(student.tower, others, args.optimiser, args.rate)
    average = {name: value.clone() for name, value in student.state_dict().items()}
    step, spent = 0, 0.0
    saved = folder / "last.pt"
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        student.load_state_dict(state["student"])
        average = state["average"]
        for stepper, kept in zip(steppers, state["optimisers"], strict=True):
            stepper.load_state_dict(kept)
        step, spent = state["step"], state["spent"]

    def save() -> None:
        state = {
            "student": student.state_dict(),
            "average": average,
            "optimisers": [stepper.state_dict() for stepper in steppers],
            "step": step,
            "spent": spent,
        }
        torch.save(state, folder / "next.pt")
        (folder / "next.pt").replace(saved)

    stream = ahead(batches(store, texts, banned, args.batch, args.seed + step))
    rng = np.random.default_rng(args.seed + step + 1)
    student.train()
    features = torch.compile(student.tower.features)
    student.tower.features = features  # type: ignore[method-assign]
    sums: dict[str, float] = {}
    first_step, last_save = step, spent
    while spent < args.minutes * 60:
        began = time.monotonic()
        factor = rate(spent / (args.minutes * 60))
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = args.rate * factor
        batch = next(stream)
        decibels = batch.decibels.contiguous(memory_format=torch.channels_last)
        batch = Batch(decibels, batch.logits, batch.embedding, batch.captions)
        with torch.autocast("cpu", torch.bfloat16, enabled=not args.float32):
            losses = student.losses(batch, texts, rng)
        total = sum(
            (LOSS_WEIGHTS[name] * value * (args.captions if name.startswith("to_") else 1.0))
            for name, value in losses.items()
        )
        assert isinstance(total, torch.Tensor)
        for stepper in steppers:
            stepper.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 50.0)
        for stepper in steppers:
            stepper.step()
        step += 1
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % 4 == 0:
            keep = min(0.99, step / (step + 40))
            for name, value in student.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1 - keep)
        took = time.monotonic() - began
        # A pause (the job was stopped, or its first step compiled) is not training.
        spent += min(took, 5.0)
        if step % 50 == 0:
            means = {name: round(value / 50, 4) for name, value in sums.items()}
            facts = {"step": step, "views": step * args.batch, "minutes": round(spent / 60, 2)}
            speed = {"ms_per_view": round(1000 * took / args.batch, 2), "rate": round(factor, 3)}
            line = json.dumps(facts | speed | means)
            print(line, flush=True)
            with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(line + "\n")
            sums = {}
        if spent - last_save > 180 or step == first_step + 20:
            save()
            last_save = spent
    save()


if __name__ == "__main__":
    main()
