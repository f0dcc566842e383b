"""Train the whole text tower, MiniLM and head, towards vectors that the sounds already have.

`python -m scripts.mini.retell --shared ../shared --work DIR --run NAME --minutes 40` needs `corpus`
and, with `--mpnet DIR`, learns all-mpnet-base-v2's likeness of texts on the way. The audio tower is
not touched: class texts of the bundle (`--start`) are where they belong, so the mean over a class's
22 wordings is the aim of each of them, the weighted mean of classes that of a kind (`kinds`), and
what the bundle says of a caption that of the caption. Names of classes are drawn oftener than other
texts, and are compared with each other too, sound by sound (`class_loss`). Such a mean is shorter
than one, and a text is not: so it must score the corpus's sounds as its aim does, and is free where
no sound lies. (Means stretched to unit length name fewer sounds: of the hold-out's classes .80 where
these have .88.) Every other text may be drawn in other words (`grammar.reworded`) at each
step. One thread; the learning rate follows the processor's time (`--minutes`), so that other work on
the machine does not shorten a run, unless `--wall` ends it; a checkpoint every two minutes, and the
same command takes up where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from audiosearch.training.checkpoint import put
from audiosearch.training.steps import descend
from scripts.mini.grammar import reworded
from scripts.mini.lessons import TEMPLATE, Lessons, prepare
from scripts.mini.mpnet import DIMENSION as MPNET
from scripts.mini.student import TextHead, load_text
from scripts.mini.texts import MiniLM
from scripts.mini.train import PACKAGED, rate

SHARPNESS = 20.0  # of the softmax over sounds
BANK = 1024  # sounds of the corpus in each step
RATES = {"language": 8e-5, "head": 4e-4, "likeness": 1e-3}
REWORDED = 0.33  # the share of texts that are drawn in other words
WEIGHTS = {"scores": 60.0, "among": 2.0, "near": 0.3, "likeness": 0.5, "classes": 4.0}


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


def class_loss(
    said: torch.Tensor,
    rows: np.ndarray,
    lessons: Lessons,
    bank: torch.Tensor,
    spoken: torch.Tensor,
) -> torch.Tensor:
    """Divergence, over the class names, of each sound's scores from those that the names' aims give.

    What a name scores is compared sound by sound elsewhere; here names are compared, for a name that
    is lifted above its neighbours takes their sounds. `spoken` (classes, 512) is what each name was
    last said as, and is brought up to date: only a part of the names is in a batch.
    """
    numbers = lessons.names[rows]
    live = torch.from_numpy(np.flatnonzero(numbers >= 0))
    if not len(live):
        return said.sum() * 0
    places = torch.from_numpy(numbers[numbers >= 0])
    # By product, not by index, so that a name that is there twice counts as its mean.
    picked = functional.one_hot(places, len(spoken)).float()
    often = picked.sum(0)[:, None]
    now = torch.where(often > 0, picked.T @ said[live] / often.clamp_min(1), spoken)
    aims = lessons.aims_of_names()
    logits = (SHARPNESS * bank @ now.T).log_softmax(1)
    spoken.copy_(now.detach())
    return functional.kl_div(
        logits, (SHARPNESS * bank @ aims.T).softmax(1), reduction="batchmean"
    ) * (len(spoken) / len(said))


def draw(lessons: Lessons, size: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Rows and how they are said this time: as they are or reworded, most in the template of queries."""
    rows = rng.choice(len(lessons.texts), size, p=lessons.chances)
    texts = []
    for row in rows:
        text = lessons.texts[row]
        if rng.random() < REWORDED and lessons.names[row] < 0:
            text = reworded(text, rng)
        texts.append(TEMPLATE.format(text) if rng.random() < 0.6 else text)
    return rows, texts


def note(folder: Path, line: dict[str, float]) -> None:
    text = json.dumps(line)
    print(text, flush=True)
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(text + "\n")


def optimiser(speaker: Speaker) -> torch.optim.Optimizer:
    """One group of weights for each of `RATES`."""
    parts = {name: getattr(speaker, name).parameters() for name in RATES}
    groups = [{"params": [p for p in parts[name] if p.requires_grad]} for name in RATES]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01)


def train(speaker: Speaker, lessons: Lessons, tokenizer: object, args: argparse.Namespace) -> None:
    """Train until `args.minutes` of the processor's time are spent; `last.pt` holds the averaged weights too."""
    folder = args.work / args.run
    stepper = optimiser(speaker)
    average = {name: value.clone() for name, value in speaker.state_dict().items()}
    trained = {name for name, weight in speaker.named_parameters() if weight.requires_grad}
    step, spent, entered = 0, 0.0, time.monotonic()
    spoken = functional.normalize(lessons.aims_of_names(), dim=1)
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
    progress = spent / (args.minutes * 60)
    while progress < 1:
        began = time.process_time()
        for group, highest in zip(stepper.param_groups, RATES.values(), strict=True):
            group["lr"] = args.rate * highest * rate(progress, flat=0.2)
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
            found["classes"] = class_loss(said.float(), rows[part], lessons, bank, spoken)
            torch.stack(
                [WEIGHTS[n] * v * len(part) / len(order) for n, v in found.items()]
            ).sum().backward()
            for name, value in found.items():
                sums[name] += float(value.detach()) * len(part) / len(order) / 10
        if not descend([stepper], speaker.parameters(), 5.0):
            raise SystemExit(f"the gradient is no number any more at step {step + 1}")
        step += 1
        keep = min(0.98, step / (step + 10))
        for name, value in speaker.state_dict().items():
            if name in trained:
                average[name].lerp_(value, 1 - keep)
        spent += time.process_time() - began
        passed = (time.monotonic() - entered) / 60
        progress = max(spent / (args.minutes * 60), passed / args.wall if args.wall else 0)
        if step % 10 == 0:
            line = {"step": step, "texts": step * args.batch, "minutes": round(spent / 60, 2)}
            note(folder, line | {name: round(value, 4) for name, value in sums.items()})
            sums = dict.fromkeys(WEIGHTS, 0.0)
        if spent - kept > 120 or progress >= 1:
            state = {"speaker": speaker.state_dict(), "optimiser": stepper.state_dict()}
            state |= {"average": average, "step": step, "spent": spent}
            put(folder / "last.pt", partial(torch.save, state))
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
    parser.add_argument(
        "--wall", type=float, help="minutes on the clock after which it ends as well"
    )
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
