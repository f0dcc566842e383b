"""Teach the finished text head the concepts better, while it goes on saying of classes and captions
what it said.

`python -m scripts.mini.polish --shared ../shared --work DIR --after r6 --run r7` takes a minute. In
`train` a concept is learnt through the few sounds of a batch that answer to it; here it is drawn to
the mean of its classes' vectors, by text alone.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from scripts.mini.corpus import open_corpus, read_groups
from scripts.mini.export import load_run
from scripts.mini.student import TextHead
from scripts.mini.train import Texts, banned_clips, load_texts, rate

RATE = 5e-4
# What is known counts more than what is learnt: on the hold-out the mAP of classes falls by .009 at
# 4, by .002 at 12.
KEEP = 12.0


def drift(now: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """One less the mean cosine of two sets of vectors, (n, 512) both."""
    return 1 - functional.cosine_similarity(now, before, dim=1).mean()


def polish(head: TextHead, texts: Texts, steps: int, seed: int) -> None:
    """Train `head` in place: the concepts of `texts` towards the mean of their classes, its classes and
    the captions that are `allowed` to stay."""
    rng = np.random.default_rng(seed)
    known = np.setdiff1d(texts.allowed, texts.concepts)
    before = copy.deepcopy(head).requires_grad_(False)
    classes = functional.normalize(before(texts.classes).mean(1), dim=-1)
    aims = texts.bridge[texts.concepts] @ classes
    stepper = torch.optim.AdamW(head.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
    for step in range(steps):
        for group in stepper.param_groups:
            group["lr"] = RATE * rate(step / steps)
        version = int(rng.integers(texts.classes.shape[1]))
        form = int(rng.integers(texts.captions.shape[1]))
        said, spoken = texts.classes[:, version], texts.captions[known, form]
        learnt = drift(head(texts.captions[texts.concepts, form]), aims)
        kept = drift(head(said), before(said)) + drift(head(spoken), before(spoken))
        stepper.zero_grad()
        (learnt + KEEP * kept).backward()
        stepper.step()
        if step % 50 == 49:
            print(f"{step + 1}: concepts {learnt.item():.4f}, others {kept.item():.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--after", required=True, help="the run whose text head is polished")
    parser.add_argument("--run", required=True, help="name of the result: its folder in --work")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups kept out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    clips, _ = open_corpus(args.work)
    excluded: set[str] = set().union(*(read_groups(path) for path in args.exclude))
    texts = load_texts(args.work, clips, banned_clips(clips, excluded))
    source = args.work / args.after / "last.pt"
    _, head = load_run(source)
    if head is None:
        parser.error(f"run {args.after} has no text head of its own")
    polish(head, texts, args.steps, args.seed)
    average = torch.load(source, map_location="cpu", weights_only=True)["average"]
    average |= {f"text.{name}": value for name, value in head.state_dict().items()}
    (args.work / args.run).mkdir(exist_ok=True)
    torch.save({"average": average}, args.work / args.run / "last.pt")


if __name__ == "__main__":
    main()
