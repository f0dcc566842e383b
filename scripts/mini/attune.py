"""Attune a bundle's texts to recordings that its audio tower never heard.

A tower hears what it was trained on better than what it meets later, so texts that were fitted to
its training lie a little beside the sounds of others. Here one linear map of all texts is fitted, to
mixtures of clips numbered `--fresh` and up, which the tower must not have heard: by the teacher's
classes and by the clips' captions, as in `train`, and held near to the map that changes nothing. It is
folded into the text tower's last layers. The audio tower stays as it is, and libraries keep their
vectors.

A map that is fitted to mixtures as they come learns how often each class comes, and names the frequent
ones too often. So mixtures of rare classes are drawn more (`--balance`), and a part of each class's log
prior is taken off the teacher's logits (`--prior`; Menon et al., Long-tail learning via logit adjustment,
2021).

    python -m scripts.mini.label ... --count 61440 --seed 2029 --favour 20000 0.95 --bodies 0.12
    python -m scripts.mini.attune --shared ../shared --work DIR --check        # by folds of the clips
    python -m scripts.mini.attune --shared ../shared --work DIR --revision 5 --to DIR/revision5

needs `texts --words` of the same bundle. `--check` fits on three quarters of the clips' families and
measures on the fourth, four times over: settings are chosen by it, and not by the hold-out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from scripts.mini.bundle import Bundle
from scripts.mini.corpus import Clip, open_corpus, read_groups
from scripts.mini.export import describe, quantised, vectors_of
from scripts.mini.label import Store, number_of, open_store
from scripts.mini.losses import Scales, caption_losses, class_losses
from scripts.mini.metrics import accuracy, even_sets, mean_average_precision, recalls
from scripts.mini.queryside import embed_mixtures, unit
from scripts.mini.teacher import labels
from scripts.mini.train import AUDIBLE, PACKAGED, Texts, banned_clips, load_texts, usable_rows

BATCH = 512
RATE = 1e-3
SCALE_RATE = 1e-2
FOLDS = 4
RAREST = 10  # a class with fewer mixtures is drawn as one with so many
# Of the layers whose sum is the text's vector before it gets unit length.
LAST_LAYERS = ("head.c", "head.b")


@dataclass(frozen=True)
class Heard:
    """Mixtures of fresh clips: `sounds` (n, 512) as the bundle hears them, the teacher's `logits`
    (n, 527), the numbers of the `sources` (n, 3) and those of their captions, `said` (n, 3); -1:
    none.
    """

    sounds: torch.Tensor
    logits: torch.Tensor
    sources: np.ndarray
    said: np.ndarray


def hear(bundle: Bundle, store: Store, texts: Texts, rows: np.ndarray) -> Heard:
    """Return these mixtures as the bundle hears them."""
    sources = np.asarray(store.clips)[rows]
    spoken = (sources >= 0) & (np.asarray(store.levels)[rows] > AUDIBLE)
    return Heard(
        torch.from_numpy(embed_mixtures(bundle, store, rows)),
        torch.from_numpy(np.asarray(store.logits)[rows].astype(np.float32)),
        sources,
        np.where(spoken, texts.of_clip[sources], -1),
    )


def chances(heard: Heard, rows: np.ndarray, balance: float) -> np.ndarray:
    """Return how likely each of these mixtures is drawn: by the number of those with the same first
    class, to the power of -`balance`. 0: all alike; 1: each class alike, but for the rarest.
    """
    first = heard.logits[rows].argmax(1).numpy()
    likely = np.maximum(np.bincount(first)[first], RAREST) ** -balance
    return np.asarray(likely / likely.sum())


def log_prior(heard: Heard, rows: np.ndarray) -> torch.Tensor:
    """Return the logarithm of how likely the teacher hears each class in these mixtures (527,), less
    its mean.
    """
    # A class that is hardly ever heard counts as one that is heard once in 10,000 mixtures.
    prior = (heard.logits[rows].sigmoid().mean(0) + 1e-4).log()
    return prior - prior.mean()


def fit(heard: Heard, rows: np.ndarray, texts: Texts, args: argparse.Namespace) -> np.ndarray:
    """Return the map (512, 512) of texts that fits these mixtures."""
    rng = np.random.default_rng(args.seed)
    size = heard.sounds.shape[1]
    turn, still = torch.eye(size, requires_grad=True), torch.eye(size)
    scales = Scales(20.0, -8.0)
    groups: list[dict[str, Any]] = [
        {"params": [turn], "highest": RATE},
        {"params": list(scales.parameters()), "highest": SCALE_RATE},
    ]
    stepper = torch.optim.AdamW(groups, lr=0.0, weight_decay=0.0)
    likely_rows = chances(heard, rows, args.balance)
    prior = args.prior * log_prior(heard, rows)
    for step in range(args.steps):
        for group in stepper.param_groups:
            group["lr"] = group["highest"] * (1 - step / args.steps)
        picked = rng.choice(rows, BATCH, p=likely_rows)
        f, logits, said = heard.sounds[picked], heard.logits[picked], heard.said[picked]
        # The name alone as often as another wording of its class.
        version = 0 if rng.random() < 0.5 else int(rng.integers(texts.classes.shape[1]))
        classes = class_losses(f, turned(texts.classes[:, version], turn), logits - prior, scales)
        columns = np.unique(said)
        columns = columns[columns >= 0]
        forms = rng.integers(0, texts.captions.shape[1], len(columns))
        q = turned(texts.captions[columns, forms], turn)
        true = torch.from_numpy((said[:, :, None] == columns).any(1).astype(np.float32))
        likely = functional.logsigmoid(logits) @ texts.bridge[columns].T
        captions = caption_losses(f, q, true, likely - likely.mean(0), scales, trust=1.0)
        total = args.classes * (
            classes["bce"] + 0.5 * classes["over_classes"] + 0.5 * classes["over_batch"]
        )
        total = total + args.captions * (captions["to_caption"] + captions["to_sound"])
        total = total + args.still * (turn - still).square().sum()
        stepper.zero_grad()
        total.backward()
        stepper.step()
    return turn.detach().numpy()


def turned(vectors: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """Unit vectors (n, 512), mapped."""
    return functional.normalize(vectors @ turn.T, dim=1)


# -- whether it helps ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fold:
    """The clips of one fold of the families: their windows (n, 512), the clip of each window, the
    captions' texts (k, 512) and which clip each belongs to (clips, k); and the mixtures of these clips
    alone, with the teacher's logits (mixtures, 527).
    """

    windows: np.ndarray
    owner: np.ndarray
    captions: np.ndarray
    relevant: np.ndarray
    sounds: np.ndarray
    logits: np.ndarray

    def figures(self, turn: np.ndarray, names: np.ndarray) -> np.ndarray:
        """Return the captions' mAP, the classes' mAP, their top-1 and that in `even_sets`, with texts
        mapped.
        """
        best = np.full(self.relevant.shape, -1, np.float32)
        np.maximum.at(best, self.owner, self.windows @ unit(self.captions @ turn.T).T)
        scores = self.sounds @ unit(names @ turn.T).T
        classes = self.logits > 0
        clear = classes.any(1)
        return np.array(
            [
                mean_average_precision(best, self.relevant),
                mean_average_precision(scores, classes),
                accuracy(scores[clear], classes[clear]),
                np.nanmean(recalls(scores, self.logits, even_sets(self.logits))),
            ]
        )


def fold_of(clip: Clip) -> int:
    """The number of the fold, by the name of the clip's family: takes of one sound share it."""
    return zlib.crc32(clip.family.encode()) % FOLDS


def hear_fold(
    number: int,
    bundle: Bundle,
    heard: Heard,
    clips: list[Clip],
    samples: np.ndarray,
    fresh: np.ndarray,
    folds: np.ndarray,
) -> Fold:
    """Hear the fresh clips of one fold. `fresh` and `folds` are of all clips (clips,)."""
    mine = np.flatnonzero(fresh & (folds == number))
    waves = [clips[i] for i in mine]
    windows = [
        bundle.embed_sound(samples[c.start : c.start + c.length].astype(np.float32) / 32768)
        for c in waves
    ]
    captions = sorted({clip.caption for clip in waves if clip.caption})
    rows = ((heard.sources < 0) | (folds[heard.sources] == number)).all(1)
    return Fold(
        np.concatenate(windows),
        np.repeat(np.arange(len(mine)), [len(each) for each in windows]),
        bundle.embed_texts(captions),
        np.array([[clip.caption == caption for caption in captions] for clip in waves]),
        heard.sounds.numpy()[rows],
        heard.logits.numpy()[rows],
    )


# -- the bundle ------------------------------------------------------------------------------------


def write_words(source: Path, target: Path, turn: np.ndarray) -> None:
    """Write a text tower whose vectors are those of `source`, mapped: by its last layers alone, so that
    every other weight keeps its bits.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}

    def put(name: str, values: np.ndarray) -> None:
        weights[name].CopyFrom(numpy_helper.from_array(values, name))

    for layer in LAST_LAYERS:
        whole, scale = (
            numpy_helper.to_array(weights[f"{layer}.weight.{kind}"]) for kind in ("int8", "scale")
        )
        coarse, steps = quantised(turn @ (whole.astype(np.float32) * scale), 0)
        put(f"{layer}.weight.int8", coarse)
        put(f"{layer}.weight.scale", steps)
        put(f"{layer}.bias", turn @ numpy_helper.to_array(weights[f"{layer}.bias"]))
    onnx.checker.check_model(model)
    onnx.save(model, target)


def write(turn: np.ndarray, args: argparse.Namespace) -> None:
    """Write the bundle in `args.to`."""
    args.to.mkdir(parents=True, exist_ok=True)
    for name in ("audio.onnx", "tokenizer.json"):
        shutil.copy(args.start / name, args.to / name)
    write_words(args.start / "text.onnx", args.to / "text.onnx", turn)
    facts = json.loads((args.start / "model.json").read_text(encoding="utf-8"))
    kept = ("window_seconds", "hop_seconds", "query_template")
    choices = {name: facts[name] for name in kept} | {"vectors_of": vectors_of(args.start)}
    describe(args.to, facts["name"], args.revision, facts["precision"], choices)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--start", type=Path, default=PACKAGED, help="bundle whose texts are mapped"
    )
    parser.add_argument("--fresh", type=int, default=20_000, help="first number of unheard clips")
    parser.add_argument("--check", action="store_true", help="measure by folds, write nothing")
    parser.add_argument("--to", type=Path, help="folder of the bundle")
    parser.add_argument("--revision", default="5")
    parser.add_argument("--share", type=float, nargs="*", default=[1.0], help="of the way")
    parser.add_argument("--captions", type=float, default=5.0, help="weight of their losses")
    parser.add_argument("--classes", type=float, default=10.0, help="weight of theirs")
    parser.add_argument("--still", type=float, default=1.0, help="weight of what is changed")
    parser.add_argument("--balance", type=float, default=0.5, help="0: mixtures as they come")
    parser.add_argument("--prior", type=float, default=0.25, help="share that is taken off")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups kept out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    bundle, store = Bundle(args.start, args.threads), open_store(args.work)
    clips, samples = open_corpus(args.work)
    excluded: set[str] = set().union(*(read_groups(path) for path in args.exclude))
    banned = banned_clips(clips, excluded)
    texts = load_texts(args.work, clips, banned)
    fresh = np.array([number_of(clip) >= args.fresh for clip in clips]) & ~banned
    rows = usable_rows(store, banned)
    sources = np.asarray(store.clips)[rows]
    rows = rows[((sources < 0) | fresh[sources]).all(1)]
    heard = hear(bundle, store, texts, rows)
    still = np.eye(heard.sounds.shape[1], dtype=np.float32)
    if args.check:
        folds = np.array([fold_of(clip) for clip in clips])
        names = bundle.embed_texts([name.lower() for name in labels(args.shared)])
        for number in range(FOLDS):
            other = hear_fold(number, bundle, heard, clips, samples, fresh, folds)
            apart = ((heard.sources < 0) | (folds[heard.sources] != number)).all(1)
            turn = fit(heard, np.flatnonzero(apart), texts, args)
            before = other.figures(still, names)
            for share in args.share:
                gained = other.figures((1 - share) * still + share * turn, names) - before
                row: dict[str, Any] = {"fold": number, "share": share}
                row |= {"before": before.round(4).tolist(), "gained": gained.round(4).tolist()}
                print(json.dumps(row), flush=True)
        return
    if args.to is None:
        parser.error("name the folder of the bundle with --to, or --check")
    if len(args.share) != 1:
        parser.error("a bundle is written at one --share of the way")
    [share] = args.share
    turn = fit(heard, np.arange(len(rows)), texts, args)
    write((1 - share) * still + share * turn, args)


if __name__ == "__main__":
    main()
