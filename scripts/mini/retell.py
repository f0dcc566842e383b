"""Train the whole text tower, MiniLM and head, towards vectors that the sounds already have.

`python -m scripts.mini.retell --shared ../shared --work DIR --run NAME --minutes 40` needs `corpus`
and, with `--mpnet DIR`, learns all-mpnet-base-v2's likeness of texts on the way. The audio tower is
not touched: class texts of the bundle (`--start`) are where they belong, so the mean over a class's
22 wordings is the aim of each of them, the weighted mean of classes that of a kind (`kinds`), and
the vector that the bundle gives that of a caption. Every text is drawn in other words
(`grammar.reworded`) at each step, and must lie as its aim does among all aims. One thread; the
learning rate follows the clock; a checkpoint every two minutes, and the same command takes up where
it stopped.
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

from scripts.mini.corpus import open_corpus, read_groups
from scripts.mini.grammar import reworded
from scripts.mini.kinds import Kind, read_kinds
from scripts.mini.mpnet import DIMENSION as MPNET
from scripts.mini.student import TextHead, load_text
from scripts.mini.teacher import labels
from scripts.mini.texts import MiniLM, class_texts, words_alone
from scripts.mini.train import PACKAGED, banned_clips, rate

TEMPLATE = "this is a sound of {}"
OWN_CLASS = 0.25  # how much of its own earlier vector a class's wording keeps
OWN_KIND = 0.2
UNLIKE = 0.15  # how far a kind is pushed from what only its spelling resembles
SHARPNESS = 25.0  # of the softmax over all aims
RATES = {"language": 8e-5, "head": 4e-4, "likeness": 1e-3}
WEIGHTS = {"aim": 4.0, "among": 1.0, "likeness": 1.5}


@dataclass(frozen=True)
class Lessons:
    """`texts` (n,), the `aims` (groups, 512) of their `groups` (n,), `own` (n, 512) what each is
    drawn to, and `likeness` (n, 768) mpnet's vectors, zero where there is none; `parts` name the
    first text of each sort."""

    texts: list[str]
    groups: np.ndarray
    own: torch.Tensor
    aims: torch.Tensor
    likeness: torch.Tensor
    chances: np.ndarray


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
            language.encoder.layer[-layers:].requires_grad_(True)  # type: ignore[index, union-attr]

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


def aims_of_kinds(kinds: list[Kind], classes: torch.Tensor) -> torch.Tensor:
    """(kinds, 512): the weighted mean of the classes' vectors (527, 512), away from those that only
    the spelling resembles."""
    weights = torch.from_numpy(np.stack([kind.weights for kind in kinds]))
    against = torch.from_numpy(np.stack([kind.against for kind in kinds])).float()
    away = against / against.sum(1, keepdim=True).clamp_min(1) @ (classes - classes.mean(0))
    return functional.normalize(weights @ classes - UNLIKE * away, dim=-1)


def blend(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    """Unit vectors with `share` of the second."""
    return functional.normalize((1 - share) * first + share * second, dim=-1)


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
    before = head(torch.from_numpy(np.stack([known[text] for text in texts])).float())
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    means = torch.zeros(len(groups), before.shape[1]).index_add_(0, torch.from_numpy(owner), before)
    means = functional.normalize(means, dim=-1)
    aims = means.clone()
    ends = np.cumsum([len(wordings), len(kinds), len(spoken)])
    aims[ends[0] : ends[1]] = aims_of_kinds(kinds, means[: ends[0]])
    for place, kind in enumerate(kinds, ends[0]):
        if not kind.against.any():
            aims[place] = blend(aims[place], means[place], OWN_KIND)
    sort = np.searchsorted(ends, owner, side="right")
    own = aims[owner].clone()
    own[sort == 0] = blend(own[sort == 0], before[sort == 0], OWN_CLASS)
    own[sort == 2] = blend(own[sort == 2], before[sort == 2], 0.5)
    likeness = torch.zeros(len(texts), MPNET)
    if args.mpnet:
        likeness = torch.from_numpy(likenesses(args, texts))
    chances = np.zeros(len(texts))
    for which, share in enumerate((0.25, 0.45, 0.30)):
        chances[sort == which] = share / (sort == which).sum()
    print(f"{len(texts)} texts of {len(groups)} groups", flush=True)
    return Lessons(texts, owner, own, aims, likeness, chances)


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
    said: torch.Tensor, guess: torch.Tensor, rows: np.ndarray, lessons: Lessons
) -> dict[str, torch.Tensor]:
    """Distance from the aim; divergence of the likeness to all aims from what the aim's own is;
    distance from mpnet's vector."""
    own = lessons.own[rows]
    target = (SHARPNESS * own @ lessons.aims.T).softmax(1)
    among = (SHARPNESS * said @ lessons.aims.T).log_softmax(1)
    other = lessons.likeness[rows]
    return {
        "aim": 1 - (said * own).sum(1).mean(),
        "among": functional.kl_div(among, target, reduction="batchmean"),
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
    speaker.train()
    while spent < args.minutes * 60:
        began = time.monotonic()
        factor = rate(spent / (args.minutes * 60), flat=0.2)
        for group, (name, _) in zip(stepper.param_groups, parts, strict=True):
            group["lr"] = args.rate * RATES[name] * factor
        rows, texts = draw(lessons, args.batch, rng)
        order = np.argsort([len(text) for text in texts])
        stepper.zero_grad()
        # Long texts apart from short ones: less padding.
        for part in np.array_split(order, 3):
            ids, mask = tokens(tokenizer, [texts[i] for i in part])
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                said, guess = speaker(ids, mask)
            found = losses(said.float(), guess.float(), rows[part], lessons)
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
    train(Speaker(language.model, head, args.layers), lessons, language.tokenizer, args)


if __name__ == "__main__":
    main()
