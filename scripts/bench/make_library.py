"""Make a library of many synthetic sounds without audio. Its database, its cache and its model's
name are real.

`python -m scripts.bench.make_library --sounds 100000 -L DIR`. Each vector is a mixture of two of
mini's vectors of sample_library, and noise: the space is so filled as unevenly as a real one, and
queries in words have hits. The indexer's own functions write the rows.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from audiosearch.catalog import reading
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.store import Address, Store, store_at
from audiosearch.catalog.words import words_of
from audiosearch.models.embedding import mean_of
from audiosearch.models.registry import load_model
from audiosearch.vectors.codec import unit
from indexer import roots, store
from indexer.belongings import Belongings
from indexer.cache import refresh_cache, renew_cache
from indexer.isolated import IsolatedReader
from indexer.lock import writing
from indexer.meta import set_meta
from indexer.pipeline import Embedded
from indexer.plan import FileTask
from indexer.workers import Done, Hashed

SAMPLES = Path(__file__).parents[2] / "sample_library"
BATCH = 2_000
FORMATS = ("wav", "wav", "wav", "flac", "mp3", "ogg")


def anchors() -> np.ndarray:
    """Return (n, d) vectors of every window of sample_library."""
    model = load_model()
    files = sorted(
        p for p in SAMPLES.rglob("*") if p.suffix in (".wav", ".flac", ".ogg", ".oga", ".mp3")
    )
    with IsolatedReader() as reader:
        return np.concatenate([reader.embed(model, path).vectors for path in files])


def vocabulary() -> list[str]:
    """Return the words of sample_library's descriptions, and as many made-up words."""
    with (SAMPLES / "manifest.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["description"] for row in csv.DictReader(file)]
    words = sorted({word for text in texts for word in words_of(text)})
    return [*words, *(f"{word}{other}" for word, other in pairwise(words))]


def vectors(base: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return (count, d) unit vectors: mixtures of two anchors, a quarter of each vector noise."""
    one, two = rng.integers(0, len(base), (2, count))
    share = rng.uniform(0.2, 1.0, (count, 1))
    noise = unit(rng.normal(size=(count, base.shape[1])))
    return unit(unit(share * base[one] + (1 - share) * base[two]) + 0.5 * noise)


# Draws that many unit vectors (n, d).
Draw = Callable[[int, np.random.Generator], np.ndarray]


def outcomes(draw: Draw, first: int, last: int, per_sound: int, root_id: int) -> Iterator[Embedded]:
    """Yield the sounds number `first` to `last`, each with 1 to 2 `per_sound` - 1 windows."""
    rng = np.random.default_rng(first)
    words = vocabulary()
    # Words of names are as unevenly used as words are (Zipf).
    chances = 1 / np.arange(1, len(words) + 1)
    chances /= chances.sum()
    counts = rng.integers(1, 2 * per_sound, last - first)
    every = draw(int(counts.sum()), rng)
    place = 0
    for number, count in enumerate(counts.tolist(), start=first):
        own = every[place : place + count]
        place += count
        kind = FORMATS[number % len(FORMATS)]
        name = " ".join(rng.choice(words, 4, p=chances))
        relative = f"{number // 1_000:04}/{number:07} {name}.{kind}".encode()
        task = FileTask(b"/synthetic/" + relative, root_id, relative, 1, number, None)
        info = {"sample_rate": (44_100, 48_000, 96_000)[number % 3], "channels": 1 + number % 2}
        yield Embedded(
            task,
            Hashed(hashlib.blake2b(relative, digest_size=32).digest(), 1, number),
            Done(2.5 * (count + 1), info | {"format": kind, "subtype": None}, {}, None),
            own,
            [2.5 * i for i in range(count)],
            [2.5 * i + 5.0 for i in range(count)],
            mean_of(own),
        )


def make(
    where: Address,
    sounds: int,
    windows_per_sound: int,
    first: int = 0,
    draw: Draw | None = None,
) -> None:
    """Add `sounds` sounds to a library, or to a new one, and renew its cache or index. Their vectors
    are of `draw`, or those of `vectors`.
    """
    store_of = store_at(where)
    draw = draw or partial(vectors, anchors())
    with filling(store_of) as (engine, active, root_id):
        for begin in range(first, first + sounds, BATCH):
            end = min(begin + BATCH, first + sounds)
            batch = list(outcomes(draw, begin, end, windows_per_sound, root_id))
            with engine.begin() as connection:
                store.store_batch(connection, batch, active.id, set(), Belongings())
        refresh_cache(store_of.directory, engine, active)
        renew_cache(store_of.directory, engine, active)
        store_of.merge_log(engine)


@contextmanager
def filling(store_of: Store) -> Iterator[tuple[Engine, StoredModel, int]]:
    """Give an engine that writes into a library, made where there is none; its model, and the id of
    the root of what is made.
    """
    store.create_library(store_of)
    with writing(store_of) as engine:
        with engine.begin() as connection:
            model_id = store.ensure_model(connection, load_model())
            set_meta(connection, "active_model", model_id)
            # The root does not exist: nothing reads from it.
            root_id, *_ = roots._root_for(connection, b"/synthetic", whole=True)
            active = reading.active_model(connection)
        assert active
        yield engine, active, root_id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-L", "--library", type=Path, required=True)
    parser.add_argument("--sounds", type=int, default=100_000)
    parser.add_argument("--windows", type=int, default=1, help="mean windows of a sound")
    args = parser.parse_args()
    began = time.perf_counter()
    make(args.library, args.sounds, args.windows)
    print(f"{args.sounds} sounds in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
