"""Train the student on labelled mixtures, starting from an earlier bundle.

`python -m scripts.mini.train --shared ../shared --work DIR --run NAME --minutes 70` needs `corpus`,
`texts` and the mixtures of `label` (with `--labelling` that may still be running). The learning
rate follows the time that was spent training, since the clock, not the number of views, is what is
limited; the log says how many views that was. Checkpoints every three minutes; the same command
takes up where it stopped.

Where the texts' vectors are those of a finished text tower (`texts --words BUNDLE`), only the audio
tower learns. `--hold` leaves its first stages as they are, and with `--once` what these hear of a
mixture is kept, at one level and colour: a view costs a third with three stages held, and hardly
anything with all four. `--wall` ends a run by the
clock whatever else the machine does, and `--device cuda` trains on a GPU.

The towers, the step and the way a checkpoint is put in place are those of `audiosearch.training`.
The loop is not: it learns from a teacher's stored answers and not from pairs, by the clock and not
by epochs, with two optimisers and averaged weights, and its mixtures grow while it runs; nothing of
`training.loop.Loop` but the frame would be left.
"""

from __future__ import annotations

import argparse
import copy
import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from audiosearch.training.checkpoint import put
from audiosearch.training.steps import descend
from scripts.mini.corpus import Clip, held_out, open_corpus, read_groups
from scripts.mini.frontend import BYTE_STEP, BYTE_ZERO
from scripts.mini.label import LATE, MIDDLE, Store, in_memory, open_store
from scripts.mini.losses import Scales, caption_losses, class_losses, embedding_loss, map_loss
from scripts.mini.optimiser import optimisers
from scripts.mini.student import (
    DIMENSION,
    FEATURES,
    GROWN,
    TEACHER_DIMENSION,
    WIDTHS,
    AudioTower,
    Shape,
    begun,
    finished,
    grown,
    insert_norms,
    load_audio,
    load_text,
    pooled,
)

PACKAGED = Path(__file__).parents[2] / "audiosearch" / "models" / "mini"
EXTRA_CAPTIONS = 256  # captions of other sounds and concepts beside those of the batch
AUDIBLE = -10.0  # a source further below the first, in dB, is not what a caption would mention
LOSS_WEIGHTS = {
    "bce": 1.0,
    "mse": 0.1,
    "over_classes": 0.5,
    "over_batch": 0.5,
    "to_caption": 0.5,
    "to_sound": 0.5,
    "embedding": 4.0,
    "middle": 3.0,
    "late": 6.0,
}


@dataclass(frozen=True)
class Texts:
    """Vectors of `texts.npz`, float32: sentences (384), or those of a finished text tower (512);
    `of_clip` is the caption's number for each clip (-1: none), `concepts` the numbers of texts that
    are no clip's."""

    classes: torch.Tensor
    captions: torch.Tensor
    bridge: torch.Tensor
    of_clip: np.ndarray
    allowed: np.ndarray
    concepts: np.ndarray


@dataclass(frozen=True)
class Batch:
    """sounds (batch, 1, frames, 64) in decibels, or what `Kept` has of them, teacher's logits,
    embedding and maps, and each sound's captions (batch, 3), -1: none."""

    sounds: torch.Tensor
    logits: torch.Tensor
    embedding: torch.Tensor
    middle: torch.Tensor
    late: torch.Tensor
    captions: torch.Tensor

    def to(self, device: str) -> Batch:
        """The batch there; bytes grow to numbers there, too."""
        parts = {field.name: getattr(self, field.name).to(device) for field in fields(self)}
        parts["middle"], parts["late"] = parts["middle"].float(), parts["late"].float()
        return Batch(**parts)


def load_texts(work: Path, clips: list[Clip], banned: np.ndarray, device: str = "cpu") -> Texts:
    """Texts of `work`; captions that only banned clips have are not `allowed`, concepts are."""
    with np.load(work / "texts.npz") as file:
        place = {text: i for i, text in enumerate(file["strings"].tolist())}
        of_clip = np.array([place[clip.caption] if clip.caption else -1 for clip in clips])
        heard = of_clip[~banned]
        # A concept that is also a caption is allowed as that caption is.
        concepts = np.setdiff1d(np.flatnonzero(file["concept"]), of_clip)
        return Texts(
            torch.from_numpy(file["classes"]).float().to(device),
            torch.from_numpy(file["captions"]).float().to(device),
            torch.from_numpy(file["bridge"]).float().to(device),
            of_clip,
            np.union1d(heard[heard >= 0], concepts),
            concepts,
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


def _colour(rng: np.random.Generator) -> np.ndarray:
    """(64,) decibels: a level, and for a third a microphone's tilt and bumps."""
    draw = rng.random()
    low, high = (-6, 6) if draw < 0.75 else (-20, -6) if draw < 0.9 else (-45, -20)
    gains = np.full(64, rng.uniform(low, high))
    if rng.random() < 0.33:
        bands = np.linspace(-1, 1, 64)
        gains += rng.uniform(-4, 4) * bands
        for _ in range(2):
            width = rng.uniform(0.1, 0.5)
            gains += rng.uniform(-5, 5) * np.exp(-(((bands - rng.uniform(-1, 1)) / width) ** 2))
    return gains


def augment(mel: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """Bytes (batch, frames, 64) -> decibels (batch, 1, frames, 64).

    At another level and colour, some with a band masked (30 %). Time and pitch stay as the teacher
    heard them: its maps are matched place by place.
    """
    out = np.empty(mel.shape, np.float32)
    for place, item in enumerate(mel):
        x = np.multiply(item, np.float32(BYTE_STEP), out=out[place])
        x += (_colour(rng) + BYTE_ZERO).astype(np.float32)
        if rng.random() < 0.3:
            width = int(rng.integers(2, 11))
            start = int(rng.integers(0, 64 - width))
            x[:, start : start + width] = x.mean()
    # One channel is channels-last already, but its strides must say so.
    decibels = torch.from_numpy(np.maximum(out, -100)).unsqueeze(1)
    return decibels.contiguous(memory_format=torch.channels_last)


def _map(stored: np.ndarray) -> torch.Tensor:
    """Bytes as float8."""
    return torch.from_numpy(stored).view(torch.float8_e4m3fn)


class Kept:
    """What the first stages of a tower, which do not learn, hear of each mixture: made when it is
    first drawn, kept in half precision."""

    def __init__(self, tower: AudioTower, stages: int, mel: np.ndarray, half: bool) -> None:
        self.tower, self.stages, self.mel, self.half = tower, stages, mel, half
        self.done = np.zeros(len(mel), bool)
        self.maps = np.zeros((0, 0, 0, 0), np.float16)

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """(rows, channels, frames, bands)."""
        missing = rows[~self.done[rows]]
        if len(missing):
            sounds = augment(self.mel[missing], rng)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.half):
                first = begun(self.tower, sounds, self.stages).half().numpy()
            if not len(self.maps):
                # Zeros take no memory until they are written.
                self.maps = np.zeros((len(self.mel), *first.shape[1:]), np.float16)
            self.maps[missing] = first
            self.done[missing] = True
        maps = torch.from_numpy(self.maps[rows]).float()
        return maps.contiguous(memory_format=torch.channels_last)


def batches(
    store: Store, texts: Texts, banned: np.ndarray, size: int, seed: int, kept: Kept | None = None
) -> Iterator[Batch]:
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
            kept(picked, rng) if kept else augment(store.mel[picked], rng),
            torch.from_numpy(store.logits[picked]).float(),
            torch.from_numpy(store.embedding[picked]).float(),
            _map(store.middle[picked]),
            _map(store.late[picked]),
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
    """Everything that learns: both towers, the scales, and the side heads that guess the teacher's
    embedding and maps. `text` passes on vectors that a finished tower made."""

    def __init__(self, tower: AudioTower, text: nn.Module, scales: Scales, side: nn.Linear) -> None:
        super().__init__()
        self.tower, self.text, self.scales, self.side = tower, text, scales, side
        self.middle = nn.Conv2d(WIDTHS[2], MIDDLE[0], 1)
        self.late = nn.Conv2d(FEATURES, LATE[0], 1)
        self.hear = tower.maps  # of sounds as a batch has them

    def losses(
        self, batch: Batch, texts: Texts, rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        middle, late = self.hear(batch.sounds)
        features = pooled(late).float()
        f = functional.normalize(self.tower.proj(features), dim=-1)
        versions = rng.integers(0, texts.classes.shape[1], 527)
        c = self.text(texts.classes[np.arange(527), versions])
        losses = class_losses(f, c, batch.logits, self.scales)
        losses["embedding"] = embedding_loss(self.side(features), batch.embedding)
        # Time before frequency here, after it in the teacher.
        losses["late"] = map_loss(self.late(late).float().mT, batch.late)
        if middle is not None:
            losses["middle"] = map_loss(self.middle(middle).float().mT, batch.middle)
        # One column for each caption that the batch has, and some of other sounds.
        own = np.unique(batch.captions.cpu().numpy())
        other = rng.choice(texts.allowed, EXTRA_CAPTIONS, replace=False)
        columns = torch.from_numpy(np.union1d(own[own >= 0], other)).to(f.device)
        forms = rng.integers(0, texts.captions.shape[1], len(columns))
        forms = torch.from_numpy(forms).to(f.device)
        q = self.text(texts.captions[columns, forms])
        true = (batch.captions[:, :, None] == columns).any(1).float()
        heard = functional.logsigmoid(batch.logits) @ texts.bridge[columns].T
        losses |= caption_losses(f, q, true, heard - heard.mean(0), self.scales)
        return losses


@torch.no_grad()
def fit(layer: nn.Linear | nn.Conv2d, x: torch.Tensor, target: torch.Tensor) -> None:
    """Make `layer` the best guess of `target` (n, out) from `x` (n, in), by ridge regression: a head
    that knows nothing would shake the tower on its way to something."""
    wide = torch.cat([x, torch.ones(len(x), 1)], 1)
    ridge = wide.T @ wide + 10.0 * torch.eye(wide.shape[1])
    solved = torch.linalg.solve(ridge, wide.T @ target)
    layer.weight.copy_(solved[:-1].T.view_as(layer.weight))
    assert layer.bias is not None
    layer.bias.copy_(solved[-1])


def cells(maps: torch.Tensor) -> torch.Tensor:
    """(batch, channels, a, b) -> (batch * a * b, channels)."""
    return maps.float().permute(0, 2, 3, 1).flatten(0, 2)


@torch.no_grad()
def start_from(
    bundle: Path, store: Store, texts: Texts, banned: np.ndarray, shape: Shape | None = None
) -> Student:
    """A student that computes what `bundle` does, in a larger `shape` if given, its norms, scales
    and side heads fitted on 2,048 mixtures."""
    rows = usable_rows(store, banned)[:2048]
    tower = load_audio(bundle / "audio.onnx")
    spoken = texts.classes.shape[-1] == DIMENSION
    text = nn.Identity() if spoken else load_text(bundle / "text.onnx")
    tower = grown(tower, shape) if shape else tower
    decibels = augment(store.mel[rows], np.random.default_rng(0))
    insert_norms(tower, decibels[:512])
    tower.eval()
    heard = [tower.maps(part) for part in decibels.split(128)]
    features = torch.cat([pooled(late) for _, late in heard])
    f = functional.normalize(tower.proj(features), dim=-1)
    logits = torch.from_numpy(store.logits[rows]).float()
    cosines = f @ text(texts.classes[:, 0].cpu()).T
    # The line through (cosine, logit) by least squares.
    x, y = cosines.flatten(), logits.flatten()
    scale = float(((x - x.mean()) * (y - y.mean())).mean() / x.var())
    offset = float(y.mean() - scale * x.mean())
    side = nn.Linear(FEATURES, TEACHER_DIMENSION)
    fit(side, features, torch.from_numpy(store.embedding[rows]).float())
    student = Student(tower, text, Scales(scale, offset), side)
    for place, (layer, kept) in enumerate(
        ((student.middle, store.middle), (student.late, store.late))
    ):
        # Time before frequency here, after it in the teacher.
        maps = torch.cat([pair[place].mT for pair in heard])
        fit(layer, cells(maps), cells(_map(kept[rows])))
    return student


def hold(tower: AudioTower, stages: int) -> None:
    """Leave the stem and the first `stages` stages as they are, norms included."""
    if stages:
        held = [tower.stem, *tower.body[: sum(tower.shape.depths[:stages])]]
        for module in held:
            module.requires_grad_(False).eval()
        if tower.bands is not None:
            tower.bands.requires_grad_(False)


def rate(progress: float, warm: float = 0.02, flat: float = 0.3) -> float:
    """Factor of the learning rate: up within 2 % of the time, flat to 30 %, then down to zero in a
    straight line."""
    if progress < warm:
        return progress / warm
    return 1.0 if progress < flat else max(0.0, (1 - progress) / (1 - flat))


@dataclass
class Run:
    """What a checkpoint holds: the student, its averaged weights, the optimisers, and how far it is."""

    student: Student
    average: dict[str, torch.Tensor]
    steppers: list[torch.optim.Optimizer]
    step: int = 0
    spent: float = 0.0  # seconds of training

    def save(self, path: Path) -> None:
        state = {
            "student": self.student.state_dict(),
            "average": self.average,
            "optimisers": [stepper.state_dict() for stepper in self.steppers],
            "step": self.step,
            "spent": self.spent,
        }
        put(path, lambda file: torch.save(state, file))

    def load(self, path: Path) -> None:
        device = next(self.student.parameters()).device
        state = torch.load(path, map_location=device, weights_only=True)
        self.student.load_state_dict(state["student"])
        self.average = state["average"]
        for stepper, kept in zip(self.steppers, state["optimisers"], strict=True):
            stepper.load_state_dict(kept)
        self.step, self.spent = state["step"], state["spent"]

    def set_rate(self, value: float) -> None:
        for stepper in self.steppers:
            for group in stepper.param_groups:
                group["lr"] = value

    def learn(self, total: torch.Tensor) -> None:
        """One step down the gradient of `total`; the average follows every fourth."""
        for stepper in self.steppers:
            stepper.zero_grad(set_to_none=True)
        total.backward()
        if not descend(self.steppers, self.student.parameters(), 50.0):
            raise SystemExit(f"the gradient is no number any more at step {self.step + 1}")
        self.step += 1
        if self.step % 4 == 0:
            keep = min(0.99, self.step / (self.step + 40))
            for name, value in self.student.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - keep)


def progress_of(run: Run, args: argparse.Namespace, entered: float) -> float:
    """The part of the run that is over, by `args.minutes` of training or `args.wall` of the clock."""
    by_clock = (time.monotonic() - entered) / 60 / args.wall if args.wall else 0.0
    return max(run.spent / 60 / args.minutes, by_clock)


def train(run: Run, stream: Iterator[Batch], texts: Texts, args: argparse.Namespace) -> None:
    """Train until `args.minutes` are spent, with a line of the log every 50 steps."""
    folder = args.work / args.run
    rng = np.random.default_rng(args.seed + run.step + 1)
    student = run.student.train()
    hold(student.tower, args.hold)
    if args.once:
        student.hear = partial(finished, student.tower, stages=args.hold)
    if args.compile:
        student.hear = torch.compile(student.hear)
    factors = {n: w * (args.captions if "to_" in n else 1.0) for n, w in LOSS_WEIGHTS.items()}
    sums = torch.zeros(len(LOSS_WEIGHTS), device=args.device)
    first_step, last_save, entered = run.step, run.spent, time.monotonic()
    before = run.spent, entered
    while (progress := progress_of(run, args, entered)) < 1:
        began = time.monotonic()
        factor = rate(progress)
        run.set_rate(args.rate * factor)
        batch = next(stream).to(args.device)
        with torch.autocast(args.device, torch.bfloat16, enabled=not args.float32):
            losses = student.losses(batch, texts, rng)
        nothing = torch.zeros((), device=args.device)
        values = torch.stack([losses.get(name, nothing) for name in LOSS_WEIGHTS])
        run.learn((values * torch.tensor(list(factors.values()), device=args.device)).sum())
        sums += values.detach() / 50
        # A pause (the job was stopped, or its first step compiled) is not training.
        run.spent += min(time.monotonic() - began, 5.0)
        if run.step % 50 == 0:
            line = {"step": run.step, "views": run.step * args.batch}
            line |= {"minutes": round(run.spent / 60, 2), "rate": round(factor, 3)}
            seen, now = 50 * args.batch, time.monotonic()
            line |= {"ms_per_view": round(1000 * (run.spent - before[0]) / seen, 3)}
            line |= {"views_per_second": round(seen / (now - before[1]), 1)}
            before = run.spent, now
            means = dict(zip(LOSS_WEIGHTS, sums.tolist(), strict=True))
            text = json.dumps(line | {name: round(value, 4) for name, value in means.items()})
            print(text, flush=True)
            with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(text + "\n")
            sums.zero_()
        if run.spent - last_save > 180 or run.step == first_step + 20:
            run.save(folder / "last.pt")
            last_save = run.spent
    run.save(folder / "last.pt")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", default="mini", help="name of the run: its folder in --work")
    parser.add_argument("--start", type=Path, default=PACKAGED, help="bundle to start from")
    parser.add_argument("--grow", action="store_true", help="in the larger shape")
    parser.add_argument("--after", help="start from the averaged weights of this run")
    parser.add_argument("--minutes", type=float, default=70.0)
    parser.add_argument("--wall", type=float, help="minutes on the clock that end it as well")
    parser.add_argument("--hold", type=int, default=0, help="first stages that do not learn")
    parser.add_argument("--once", action="store_true", help="keep what held stages hear")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=True, help="fuse the tower"
    )
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--optimiser", choices=["muon", "adamw"], default="muon")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--captions", type=float, default=1.0, help="factor of the caption losses")
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups kept out")
    parser.add_argument("--labelling", action="store_true", help="`label` still runs: keep looking")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--float32", action="store_true", help="processors without bfloat16")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    folder = args.work / args.run
    folder.mkdir(exist_ok=True)
    clips, _ = open_corpus(args.work)
    excluded: set[str] = set().union(*(read_groups(path) for path in args.exclude))
    banned = banned_clips(clips, excluded)
    store = open_store(args.work)
    if not args.labelling:
        store = in_memory(store)
    texts = load_texts(args.work, clips, banned, args.device)
    student = start_from(args.start, store, texts, banned, GROWN if args.grow else None)
    if args.after:
        path = args.work / args.after / "last.pt"
        earlier = torch.load(path, map_location="cpu", weights_only=True)
        # A run from before the maps were matched has no heads for them: they begin anew.
        student.load_state_dict(earlier["average"], strict=False)
    student = student.to(args.device, memory_format=torch.channels_last)
    others = [student.text, student.scales, student.side, student.middle, student.late]
    steppers = optimisers(student.tower, others, args.optimiser, args.rate)
    average = {name: value.clone() for name, value in student.state_dict().items()}
    run = Run(student, average, steppers)
    if (folder / "last.pt").exists():
        run.load(folder / "last.pt")
    kept = None
    if args.once:
        ears = copy.deepcopy(student.tower).to("cpu").eval()
        kept = Kept(ears, args.hold, store.mel, not args.float32)
    stream = ahead(batches(store, texts, banned, args.batch, args.seed + run.step, kept))
    train(run, stream, texts, args)


if __name__ == "__main__":
    main()
