"""Train the whole text tower, MiniLM and head, towards vectors that the sounds already have.

`python -m scripts.mini.retell --shared ../shared --work DIR --run NAME --minutes 40` needs `corpus`
and, with `--mpnet DIR`, learns all-mpnet-base-v2's likeness of texts on the way. The audio tower is
not touched: class texts of the bundle (`--start`) are where they belong, so the mean over a class's
22 wordings is the aim of each of them, the weighted mean of classes that of a kind (`kinds`), and
what the bundle says of a caption that of the caption. Such a mean is shorter than one, and a text is
not: so it must score the corpus's sounds as its aim does, and is free where no sound lies. (Means
stretched to unit length name fewer sounds: of the hold-out's classes .80 where these have .88.)
Every text is drawn in other words (`grammar.reworded`) at each step. One thread; the learning rate
follows the clock; a checkpoint every two minutes, and the same command takes up where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from scripts.mini.bundle import Bundle, windows
from scripts.mini.corpus import open_corpus, read_groups
from scripts.mini.frontend import student_decibels
from scripts.mini.grammar import reworded
from scripts.mini.kinds import Kind, read_kinds
from scripts.mini.mpnet import DIMENSION as MPNET
from scripts.mini.student import TextHead, load_text
from scripts.mini.teacher import labels
from scripts.mini.texts import MiniLM, class_texts, words_alone
from scripts.mini.train import PACKAGED, banned_clips, rate

TEMPLATE = "this is a sound of {}"
# How far a text is drawn from what the bundle says of it. Captions know what classes do not, so that
# kinds drawn wholly to their classes cost the hold-out's captions .02 of mAP.
TO_CLASS = 0.5
TO_CAPTION = 0.3
TO_KIND = {"general": 0.2, "family": 0.15}
TO_OTHER_KIND = 0.4
TO_MISREAD_KIND = 0.8
UNLIKE = 0.15  # how far a kind is pushed from what only its spelling resembles
SHARPNESS = 20.0  # of the softmax over sounds
CHANCES = (0.35, 0.25, 0.40)  # of classes, kinds and captions
BANK = 1024  # sounds of the corpus in each step
PEAK = 0.995  # the share of the sounds that a text puts below what it is about
RATES = {"language": 8e-5, "head": 4e-4, "likeness": 1e-3}
WEIGHTS = {"scores": 60.0, "among": 2.0, "near": 0.3, "likeness": 1.0}


@dataclass(frozen=True)
class Lessons:
    """`texts` (n,), the vector `own` (n, 512) that each is to score sounds like, mpnet's `likeness`
    (n, 768), zero where there is none, the `chances` (n,) of being drawn, and the `bank` (m, 512) of
    sounds."""

    texts: list[str]
    own: torch.Tensor
    likeness: torch.Tensor
    chances: np.ndarray
    bank: torch.Tensor


class Speaker(nn.Module):
    """Token numbers and mask -> unit vectors (batch, 512), and a guess of mpnet's (batch, 768)."""

    def __init__(self, language: nn.Module, head: TextHead, layers: int = 6) -> None:
        """Of MiniLM only the last `layers` learn, and no word's own vector: one that training never
        sees must keep its place among those that it does."""
        super().__init__()
        self.language, self.head = language, head
        self.likeness = nn.Linear(384, MPNET)
        language.requires_grad_(False)
        if layers:
            language.encoder.layer[-layers:].requires_grad_(True)

    def sentences(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.language(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        wide = mask.unsqueeze(-1).float()
        return functional.normalize((states * wide).sum(1) / wide.sum(1), dim=-1)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sentence = self.sentences(ids, mask)
        return self.head(sentence), functional.normalize(self.likeness(sentence), dim=-1)


def tokens(tokenizer: object, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask), both (texts, longest), padded with 0."""
    rows = [tokenizer.encode(text).ids for text in texts]  # type: ignore[attr-defined]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    return ids, (torch.arange(ids.shape[1]) < torch.tensor([len(r) for r in rows])[:, None]).long()


def aims_of_kinds(kinds: list[Kind], classes: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """(kinds, 512): the weighted mean of the classes' vectors (527, 512), away from those that only
    the spelling resembles, as long as it takes to score its best sounds of the bank as high as
    those classes score theirs."""
    weights = torch.from_numpy(np.stack([kind.weights for kind in kinds]))
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
    missing = sorted(set(texts) - known.keys())
    if missing:
        known |= dict(zip(missing, language(missing), strict=True))
        np.savez(
            path, strings=np.array(list(known)), vectors=np.array(list(known.values()), np.float16)
        )
    spoken_vectors = [known.get(TEMPLATE.format(text), known[text]) for text in texts]
    before = head(torch.from_numpy(np.stack(spoken_vectors)).float())
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
    likeness = torch.zeros(len(texts), MPNET)
    if args.mpnet:
        likeness = torch.from_numpy(likenesses(args, texts))
    chances = np.zeros(len(texts))
    for which, share in enumerate(CHANCES):
        chances[sort == which] = share / int((sort == which).sum())
    print(f"{len(texts)} texts of {len(groups)} groups, {len(bank)} sounds", flush=True)
    return Lessons(texts, own, likeness, chances, bank)


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


def losses(
    said: torch.Tensor, guess: torch.Tensor, rows: np.ndarray, lessons: Lessons, bank: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Squared error of the scores of sounds, divergence of their softmax, distance from the aim's
    direction, distance from mpnet's vector."""
    own, other = lessons.own[rows], lessons.likeness[rows]
    scores, right = said @ bank.T, own @ bank.T
    among = functional.kl_div(
        (SHARPNESS * scores).log_softmax(1), (SHARPNESS * right).softmax(1), reduction="batchmean"
    )
    return {
        "scores": (scores - right).square().mean(),
        "among": among,
        "near": 1 - functional.cosine_similarity(said, own, dim=1).mean(),
        "likeness": ((1 - (guess * other).sum(1)) * (other.abs().sum(1) > 0)).mean(),
    }


def draw(lessons: Lessons, size: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Rows and how they are said this time: as they are or reworded, most in the template of queries."""
    rows = rng.choice(len(lessons.texts), size, p=lessons.chances)
    texts = []
    for row in rows:
        text = lessons.texts[row]
        if rng.random() < 0.5:
            text = reworded(text, rng)
        texts.append(TEMPLATE.format(text) if rng.random() < 0.6 else text)
    return rows, texts


def save(path: Path, state: dict[str, object]) -> None:
    fresh = path.with_name("next.pt")
    torch.save(state, fresh)
    fresh.replace(path)


def train(speaker: Speaker, lessons: Lessons, tokenizer: object, args: argparse.Namespace) -> None:
    """Train until `args.minutes` of the clock are spent; `last.pt` holds the averaged weights too."""
    folder = args.work / args.run
    parts = [
        (name, [p for p in getattr(speaker, name).parameters() if p.requires_grad])
        for name in RATES
    ]
    stepper = torch.optim.AdamW(
        [{"params": weights, "lr": RATES[name]} for name, weights in parts],
        betas=(0.9, 0.98),
        weight_decay=0.01,
    )
    average = {name: value.clone() for name, value in speaker.state_dict().items()}
    trained = {name for name, weight in speaker.named_parameters() if weight.requires_grad}
    step, spent = 0, 0.0
    if (folder / "last.pt").exists():
        state = torch.load(folder / "last.pt", weights_only=True)
        speaker.load_state_dict(state["speaker"])
        stepper.load_state_dict(state["optimiser"])
        average, step, spent = state["average"], state["step"], state["spent"]
    rng = np.random.default_rng([args.seed, step])
    sums, kept = dict.fromkeys(WEIGHTS, 0.0), spent
    half = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    # Without dropout: what it blurs is finer than what tells two classes apart.
    speaker.eval()
    while spent < args.minutes * 60:
        began = time.monotonic()
        factor = rate(spent / (args.minutes * 60), flat=0.2)
        for group, (name, _) in zip(stepper.param_groups, parts, strict=True):
            group["lr"] = args.rate * RATES[name] * factor
        rows, texts = draw(lessons, args.batch, rng)
        bank = lessons.bank[torch.from_numpy(rng.integers(0, len(lessons.bank), BANK))]
        order = np.argsort([len(text) for text in texts])
        stepper.zero_grad()
        # Long texts apart from short ones: less padding.
        for part in np.array_split(order, 3):
            ids, mask = tokens(tokenizer, [texts[i] for i in part])
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                said, guess = speaker(ids, mask)
            found = losses(said.float(), guess.float(), rows[part], lessons, bank)
            torch.stack(
                [WEIGHTS[n] * v * len(part) / len(order) for n, v in found.items()]
            ).sum().backward()
            for name, value in found.items():
                sums[name] += float(value.detach()) * len(part) / len(order) / 10
        nn.utils.clip_grad_norm_(speaker.parameters(), 5.0)
        stepper.step()
        step += 1
        keep = min(0.98, step / (step + 10))
        for name, value in speaker.state_dict().items():
            if name in trained:
                average[name].lerp_(value, 1 - keep)
        spent += min(time.monotonic() - began, 30.0)
        if step % 10 == 0:
            line = {"step": step, "texts": step * args.batch, "minutes": round(spent / 60, 2)}
            text = json.dumps(line | {name: round(value, 4) for name, value in sums.items()})
            print(text, flush=True)
            with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(text + "\n")
            sums = dict.fromkeys(WEIGHTS, 0.0)
        if spent - kept > 120 or spent >= args.minutes * 60:
            state = {"speaker": speaker.state_dict(), "optimiser": stepper.state_dict()}
            save(folder / "last.pt", {**state, "average": average, "step": step, "spent": spent})
            kept = spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", required=True, help="name of the run: its folder in --work")
    parser.add_argument("--start", type=Path, default=PACKAGED, help="bundle to start from")
    parser.add_argument("--mpnet", type=Path, help="folder of all-mpnet-base-v2")
    parser.add_argument("--unlike-mpnet", type=int, default=0, help="texts that may go without it")
    parser.add_argument("--after", help="start from the averaged weights of this run")
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--layers", type=int, default=3, help="layers of MiniLM that learn")
    parser.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates")
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups kept out")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    (args.work / args.run).mkdir(exist_ok=True)
    language = MiniLM()
    head = load_text(args.start / "text.onnx")
    lessons = prepare(args, language, head)
    speaker = Speaker(language.model, head, args.layers)
    if args.after:
        earlier = torch.load(args.work / args.after / "last.pt", weights_only=True)
        speaker.load_state_dict(earlier["average"])
    train(speaker, lessons, language.tokenizer, args)


if __name__ == "__main__":
    main()
