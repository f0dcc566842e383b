"""Hybrid search against sound alone and words alone, on real sounds whose names are good, generic
or misleading.

`python -m scripts.bench.hybrid --shared ../shared` takes the held-out recordings of mini's corpus
(`scripts.mini.corpus.held_out`), each distinct caption is a query; a sound is relevant to its own
caption. Names are those of the recordings' authors (good), ``Track_0001`` (generic), or those of
other recordings (misleading). Half of the queries, by hash, choose the weight; the figures are of
the other half, and of the judged queries of `scripts.bench.hybrid_queries`. mini was trained on
neither. The script prints success@1, nDCG@10 and their 95 %
intervals by bootstrap over queries.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch import Library
from audiosearch.evaluation.bootstrap import mean_interval
from audiosearch.search import fusion
from audiosearch.search.query import Match
from scripts.bench.hybrid_queries import JUDGED
from scripts.mini.corpus import families, held_out

WEIGHTS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
RRF = 60


@dataclass(frozen=True)
class Recording:
    """A held-out recording: its file, the title its author gave it, and its caption."""

    file: Path
    title: str
    caption: str


def recordings(shared: Path) -> list[Recording]:
    """Return the held-out recordings of the corpus."""
    root = shared / "data" / "corpus"
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [
        Recording(root / row["file"], row["title"], row["caption"])
        for row, family in zip(rows, families(rows), strict=True)
        if held_out(family)
    ]


def names(sounds: list[Recording], kind: str) -> list[str]:
    """Return a name for each recording, without suffix."""
    if kind == "generic":
        return [f"Track_{number:04d}" for number in range(1, len(sounds) + 1)]
    titles = [f"{sound.title}" for sound in sounds]
    if kind == "misleading":
        order = np.random.default_rng(0).permutation(len(titles))
        titles = [titles[i] for i in order]
    return titles


def library(sounds: list[Recording], kind: str, folder: Path) -> dict[str, str]:
    """Index the recordings under names of this kind, and return the caption of each path."""
    caption_of: dict[str, str] = {}
    for number, (sound, name) in enumerate(zip(sounds, names(sounds, kind), strict=True)):
        # Each recording has a folder of its own, since several have one name; a number matches no
        # word.
        target = folder / kind / str(number) / f"{name.replace('/', ' ')}.ogg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sound.file, target)
        caption_of[str(target)] = sound.caption
    with Library.open(folder / f"{kind}.library", create=True) as opened:
        opened.add(folder / kind)
    return caption_of


def answers(query: str) -> frozenset[str]:
    """Return the captions of the sounds that answer a query."""
    return JUDGED.get(query, frozenset({query}))


def gains(ranking: list[str], relevant: frozenset[str], count: int) -> tuple[float, float]:
    """Return (success@1, nDCG@10) of a ranking of captions, where `count` sounds are relevant."""
    hits = np.array([c in relevant for c in ranking[:10]], dtype=float)
    discounts = 1 / np.log2(np.arange(2, 12))
    ideal = discounts[: min(10, count)].sum()
    return float(hits[:1].sum()), float((hits * discounts[: len(hits)]).sum() / ideal)


Search = Callable[[Library, str], list[str]]


def by(match: Match) -> Search:
    """Return the program's own search, which gives the paths of ten hits."""
    return lambda opened, text: [hit.path for hit in opened.search(text, k=10, match=match)]


def reciprocal_ranks(opened: Library, text: str) -> list[str]:
    """Reciprocal rank fusion (Cormack et al. 2009) of the two rankings, 100 deep."""
    scores: dict[str, float] = {}
    rankings: list[Match] = ["sound", "words"]
    for match in rankings:
        for hit in opened.search(text, k=100, match=match):
            scores[hit.path] = scores.get(hit.path, 0.0) + 1 / (RRF + hit.rank)
    return sorted(scores, key=lambda path: (-scores[path], path))[:10]


def figures(
    opened: Library, caption_of: dict[str, str], queries: list[str], search: Search
) -> np.ndarray:
    """Return (queries, 2) success@1 and nDCG@10."""
    captions = list(caption_of.values())
    return np.array(
        [
            gains(
                [caption_of[path] for path in search(opened, query)],
                answers(query),
                sum(caption in answers(query) for caption in captions),
            )
            for query in queries
        ]
    )


def in_half(caption: str, half: int) -> bool:
    """Return whether a query belongs to `half`: 0 chooses the weight, 1 is reported."""
    return hashlib.blake2b(caption.encode(), digest_size=1).digest()[0] % 2 == half


def rows(shared: Path, folder: Path) -> Iterator[str]:
    """Yield the table, line by line."""
    sounds = recordings(shared)
    captions = sorted({sound.caption for sound in sounds})
    choosing = [c for c in captions if in_half(c, 0)]
    unknown = set().union(*JUDGED.values()) - set(captions)
    assert not unknown, f"no sound has these captions: {unknown}"
    reporting = [c for c in captions if in_half(c, 1)] + list(JUDGED)
    yield f"{len(sounds)} sounds, {len(choosing)} queries to choose by, {len(reporting)} to report"
    opened: dict[str, tuple[Library, dict[str, str]]] = {}
    for kind in ("good", "generic", "misleading"):
        caption_of = library(sounds, kind, folder)
        opened[kind] = Library.open(folder / f"{kind}.library"), caption_of
    shipped = fusion.WORD_WEIGHT
    for weight in WEIGHTS:
        fusion.WORD_WEIGHT = weight
        means = [figures(*opened[kind], choosing, by("both"))[:, 1].mean() for kind in opened]
        text = ", ".join(f"{kind} {mean:.3f}" for kind, mean in zip(opened, means, strict=True))
        yield f"choose: weight {weight:3.1f}: nDCG@10 {text}; mean {np.mean(means):.3f}"
    fusion.WORD_WEIGHT = shipped
    searches: dict[str, Search] = {
        "sound": by("sound"),
        "words": by("words"),
        "reciprocal ranks": reciprocal_ranks,
        f"both (weight {shipped:g})": by("both"),
    }
    for kind, (of_kind, caption_of) in opened.items():
        for name, search in searches.items():
            values = figures(of_kind, caption_of, reporting, search)
            first, ndcg = (
                f"{column.mean():.3f} [{low:.3f}, {high:.3f}]"
                for column in values.T
                for low, high in [mean_interval(column)]
            )
            yield f"{kind:10} names, {name:18} success@1 {first}  nDCG@10 {ndcg}"
    for library_of_kind, _ in opened.values():
        library_of_kind.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for line in rows(args.shared, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
