"""What `retell` teaches: texts, and how each is to score the corpus's sounds."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from scripts.mini.bundle import Bundle, windows
from scripts.mini.corpus import open_corpus, read_groups
from scripts.mini.frontend import BYTE_STEP, BYTE_ZERO, student_decibels
from scripts.mini.kinds import Kind, read_kinds
from scripts.mini.label import open_store
from scripts.mini.mpnet import DIMENSION as MPNET
from scripts.mini.student import TextHead
from scripts.mini.teacher import labels
from scripts.mini.texts import MiniLM, class_texts, words_alone
from scripts.mini.train import banned_clips

TEMPLATE = "this is a sound of {}"
# How far a text is drawn from what the bundle says of it. Captions know what classes do not, so that
# kinds drawn wholly to their classes cost the hold-out's captions .02 of mAP.
TO_CLASS = 0.5
TO_CAPTION = 0.3
TO_KIND = {"general": 0.2, "family": 0.15}
TO_OTHER_KIND = 0.4
TO_MISREAD_KIND = 0.8
UNLIKE = 0.15  # how far a kind is pushed from what only its spelling resembles
PEAK = 0.995  # the share of the sounds that a text puts below what it is about
# Of class names, their other wordings, kinds and captions. A name is drawn often: with a class's 22
# wordings alike, each name was read four times in t5, and the classes blurred.
CHANCES = (0.20, 0.25, 0.25, 0.30)
MIXTURES = 6144  # of the training mixtures in the bank: there a sound hides among others


@dataclass(frozen=True)
class Lessons:
    """`texts` (n,), the vector `own` (n, 512) that each is to score sounds like, mpnet's `likeness`
    (n, 768), zero where there is none, the `chances` (n,) of being drawn, the `bank` (m, 512) of
    sounds, and `names` (n,), the number of the class that a text is the name of, else -1."""

    texts: list[str]
    own: torch.Tensor
    likeness: torch.Tensor
    chances: np.ndarray
    bank: torch.Tensor
    names: np.ndarray

    def aims_of_names(self) -> torch.Tensor:
        """(classes, 512): what the name of each class is to score sounds like."""
        return self.own[torch.from_numpy(np.flatnonzero(self.names >= 0))]


def aims_of_kinds(kinds: list[Kind], classes: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """(kinds, 512): the weighted mean of the classes' vectors (527, 512), away from those that only
    the spelling resembles, as long as it takes to score its best sounds of the bank as high as
    those classes score theirs."""
    # Squared: a kind that nearly is one class must not be smeared over that class's neighbours.
    weights = torch.from_numpy(np.stack([kind.weights for kind in kinds])).square()
    weights = weights / weights.sum(1, keepdim=True)
    against = torch.from_numpy(np.stack([kind.against for kind in kinds])).float()
    away = against / against.sum(1, keepdim=True).clamp_min(1) @ (classes - classes.mean(0))
    away[~against.any(1)] = 0
    means = weights @ classes - UNLIKE * away
    peaks = (bank @ classes.T).quantile(PEAK, dim=0)
    reached = (bank @ means.T).quantile(PEAK, dim=0)
    return means * (weights @ peaks / reached.clamp_min(0.1)).clamp(0.7, 1.5)[:, None]


def trust_in(kind: Kind) -> float:
    """How far the texts of `kind` are drawn to the mean of its classes."""
    if kind.against.any():
        return TO_MISREAD_KIND
    return TO_KIND.get(kind.source.split(" ")[0], TO_OTHER_KIND)


def heard_clips(work: Path, start: Path, usable: np.ndarray) -> torch.Tensor:
    """(n, 512): vectors of up to six windows of each usable clip, kept in `work`."""
    path = work / "clips.npz"
    clips, samples = open_corpus(work)
    if not path.exists():
        bundle = Bundle(start)
        vectors = []
        for clip in clips:
            wave = samples[clip.start : clip.start + clip.length].astype(np.float32) / 32768
            cut = windows(wave, bundle.facts["window_seconds"], bundle.facts["hop_seconds"])
            few = [cut[i][1] for i in np.unique(np.linspace(0, len(cut) - 1, 6).astype(int))]
            decibels = np.stack([student_decibels(window) for window in few])
            vectors.append(bundle.embed_decibels(decibels.astype(np.float32)))
        owner = np.repeat(np.arange(len(clips)), [len(v) for v in vectors])
        np.savez(path, f=np.concatenate(vectors).astype(np.float16), own=owner)
    with np.load(path) as file:
        return torch.from_numpy(file["f"][usable[file["own"]]]).float()


def heard_mixtures(work: Path, start: Path) -> torch.Tensor:
    """(`MIXTURES`, 512): vectors of some of the labelled mixtures for training, kept in `work`."""
    path = work / "mixtures.npy"
    if not path.exists():
        store = open_store(work)
        rows = np.random.default_rng(3).permutation(store.rows(1))[:MIXTURES]
        decibels = np.asarray(store.mel)[np.sort(rows)].astype(np.float32) * BYTE_STEP + BYTE_ZERO
        vectors = Bundle(start).embed_decibels(np.maximum(decibels, -100))
        np.save(path, vectors.astype(np.float16))
    return torch.from_numpy(np.load(path)).float()


@torch.no_grad()
def prepare(args: argparse.Namespace, language: MiniLM, head: TextHead) -> Lessons:
    """Everything that is taught, from the texts' vectors before training (kept in `--work`)."""
    names, wordings = labels(args.shared), class_texts(args.shared)
    kinds = [kind for kind in read_kinds(names) if not kind.held]
    clips, _ = open_corpus(args.work)
    excluded: set[str] = set().union(*(read_groups(path) for path in args.exclude))
    banned = banned_clips(clips, excluded)
    heard = {clip.caption for clip, out in zip(clips, banned, strict=True) if not out}
    withheld = {clip.caption for clip, out in zip(clips, banned, strict=True) if out}
    captions = sorted(heard - withheld)
    spoken = [[caption, words_alone(caption)] for caption in captions]
    groups = [*wordings, *(list(kind.texts) for kind in kinds), *spoken]
    texts = [text for group in groups for text in group]
    path = args.work / "minilm.npz"
    known: dict[str, np.ndarray] = {}
    if path.exists():
        with np.load(path) as file:
            known = dict(zip(file["strings"].tolist(), file["vectors"], strict=True))
    asked = [TEMPLATE.format(text) for text in texts]
    missing = sorted(set(asked) - known.keys())
    if missing:
        known |= dict(zip(missing, language(missing), strict=True))
        vectors = np.array(list(known.values()), np.float16)
        np.savez(path, strings=np.array(list(known)), vectors=vectors)
    before = head(torch.from_numpy(np.stack([known[text] for text in asked])).float())
    bank = heard_clips(args.work, args.start, ~banned)
    sizes = torch.tensor([len(group) for group in groups])
    owner = torch.repeat_interleave(torch.arange(len(groups)), sizes)
    means = torch.zeros(len(groups), before.shape[1]).index_add_(0, owner, before) / sizes[:, None]
    ends = np.cumsum([len(wordings), len(kinds), len(spoken)])
    sort = torch.from_numpy(np.searchsorted(ends, owner.numpy(), side="right"))
    shares = torch.tensor([TO_CLASS, 0.5, TO_CAPTION])[sort][:, None]
    own = before.lerp(means[owner], shares)
    aims = aims_of_kinds(kinds, means[: ends[0]], bank)[owner[sort == 1] - ends[0]]
    trust = torch.tensor([trust_in(kind) for kind in kinds])[owner[sort == 1] - ends[0]]
    own[sort == 1] = own[sort == 1].lerp(aims, trust[:, None])
    bank = torch.cat([bank, heard_mixtures(args.work, args.start)])
    likeness = torch.zeros(len(texts), MPNET)
    if args.mpnet:
        likeness = torch.from_numpy(likenesses(args, texts))
    starts = (torch.cumsum(sizes, 0) - sizes)[: ends[0]].numpy()
    numbers = np.full(len(texts), -1)
    numbers[starts] = np.arange(ends[0])
    # Names apart from the other wordings of their classes.
    part = np.where(numbers >= 0, 0, sort.numpy() + 1)
    chances = np.zeros(len(texts))
    for which, share in enumerate(CHANCES):
        chances[part == which] = share / int((part == which).sum())
    print(f"{len(texts)} texts of {len(groups)} groups, {len(bank)} sounds", flush=True)
    return Lessons(texts, own, likeness, chances, bank, numbers)


def likenesses(args: argparse.Namespace, texts: list[str]) -> np.ndarray:
    """mpnet's vectors (texts, 768) float32, kept in `--work`."""
    path = args.work / "mpnet.npz"
    known: dict[str, np.ndarray] = {}
    if path.exists():
        with np.load(path) as file:
            known = dict(zip(file["strings"].tolist(), file["vectors"], strict=True))
    missing = sorted(set(texts) - known.keys())
    if len(missing) > args.unlike_mpnet:
        from scripts.mini.mpnet import MPNet

        known |= dict(zip(missing, MPNet(args.mpnet)(missing), strict=True))
        np.savez(
            path, strings=np.array(list(known)), vectors=np.array(list(known.values()), np.float16)
        )
    nothing = np.zeros(MPNET, np.float32)
    return np.stack([known.get(text, nothing).astype(np.float32) for text in texts])
