"""How well duplicates are found.

`python -m scripts.bench.duplicates --shared ../shared` makes copies of real sounds in other
formats, rates, levels, lengths and layouts (`scripts.bench.copies`), beside takes that only sound
alike: the recordings of one class of ESC-10, and takes and segments of one recording of the corpus.
The families of takes are divided into two halves, by hash. The first half chooses the threshold.
The figures are of the second half. Two sounds count as copies where they come from one file;
whatever else is reported counts as wrong, and is listed with the correlation of both waveforms where
they overlap: the data sets hold copies that no list names, and takes are not the same to the sample.

`python -m scripts.bench.duplicates_speed` measures seconds and memory.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile

from audiosearch import Library
from audiosearch.catalog import reading
from audiosearch.catalog.filters import make_filter
from audiosearch.catalog.means import means
from audiosearch.duplicates.finding import find_duplicates
from audiosearch.duplicates.matching import (
    SHORT_SECONDS,
    SHORT_THRESHOLD,
    THRESHOLD,
    Matcher,
)
from audiosearch.duplicates.proposals import gather, propose, same_length
from indexer.fingerprints import StoredFingerprints
from indexer.isolated import IsolatedReader
from scripts.bench.copies import Source, at_rate, sources, spread

HALVES = 2
PROCESSES = 2
COSINES = (0.9, 0.95, 0.98, 0.99, 0.995)
THRESHOLDS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)

Origin = dict[str, tuple[Source, str]]


class Half:
    """A library of one half of the families, open; `origin` says what each file is."""

    def __init__(self, library: Library, reader: IsolatedReader, origin: Origin) -> None:
        self.library, self.origin = library, origin
        self.fingerprints = StoredFingerprints(library._reader, lambda: reader, PROCESSES)
        with library._reader.snapshot() as connection:
            model = reading.active_model(connection)
            assert model
            self.contents = gather(means(connection, model.id, make_filter(None)), model.dimension)
            held = reading.sounds_of_contents(connection, self.contents.ids.tolist())
        self.sound = {content: sounds[0] for content, sounds in held.items()}
        self.paths = {content: [sound.path for sound in sounds] for content, sounds in held.items()}
        self.pairs = propose(self.contents)

    def source(self, content: int) -> Source:
        """The file that a content was made of."""
        return self.origin[self.sound[content].path][0]

    def scores(self) -> list[tuple[bool, float, float, bool, bool]]:
        """Return, for each proposed pair, whether both come from one file, its agreement, its cosine,
        whether both are equally long, and whether one is short.
        """
        ids = self.contents.ids
        first, second = ids[self.pairs.first].tolist(), ids[self.pairs.second].tolist()
        unreadable = self.fingerprints.make({*first, *second}, None)
        assert not unreadable
        matcher = Matcher(self.fingerprints, unreadable, -1.0)
        rows = []
        for one, two, cosine in zip(first, second, self.pairs.cosines.tolist(), strict=True):
            lengths = self.sound[one].duration or 0.0, self.sound[two].duration or 0.0
            # The least agreement of short sounds is the script's business here.
            match = matcher.match(one, two, cosine, (1.0, 1.0))
            assert match
            same = self.source(one).file == self.source(two).file
            short = min(lengths) < SHORT_SECONDS
            rows.append((same, match.score, cosine, same_length(*lengths), short))
            matcher.forget()
        return rows


def enough(scores: np.ndarray, threshold: float, short: np.ndarray) -> np.ndarray:
    """Return which pairs agree enough; short sounds have to agree more."""
    chosen: np.ndarray = scores >= np.where(short, max(threshold, SHORT_THRESHOLD), threshold)
    return chosen


def precision_recall(right: np.ndarray, chosen: np.ndarray, relevant: int) -> str:
    """Return both, of the chosen pairs, as text."""
    hits = int((right & chosen).sum())
    return f"{hits / max(1, int(chosen.sum())):9.4f}  {hits / relevant:6.3f}"


def choose(half: Half) -> None:
    """Print precision and recall of the proposed pairs at each threshold."""
    rows = half.scores()
    right = np.array([row[0] for row in rows])
    score, cosine = (np.array([row[i] for row in rows]) for i in (1, 2))
    equal, short = (np.array([row[i] for row in rows]) for i in (3, 4))
    relevant = int(right.sum())
    print(f"first half: {len(rows)} proposed pairs, {relevant} of them of one file")
    print("fingerprint >=  precision  recall")
    for threshold in THRESHOLDS:
        print(
            f"{threshold:14.2f}  {precision_recall(right, enough(score, threshold, short), relevant)}"
        )
    print("cosine alone >= precision  recall   and equally long: precision  recall")
    for least in COSINES:
        near = cosine >= least
        print(
            f"{least:14.3f}  {precision_recall(right, near, relevant)}   "
            f"{'':17} {precision_recall(right, near & equal, relevant)}"
        )


def report(half: Half) -> None:
    """Print the recall of each kind of copy, and the precision, of the groups."""
    condition = make_filter(None)
    groups = find_duplicates(half.library._reader, half.fingerprints, condition, THRESHOLD)
    group_of = {sound.path: place for place, group in enumerate(groups) for sound in group.sounds}
    proposed = {
        frozenset((int(half.contents.ids[one]), int(half.contents.ids[two])))
        for one, two in zip(half.pairs.first, half.pairs.second, strict=True)
    }
    content_of = {path: content for content, paths in half.paths.items() for path in paths}
    original = {
        source.file: path for path, (source, kind) in half.origin.items() if kind == "original"
    }
    kinds: dict[str, list[tuple[bool, bool]]] = {}
    for path, (source, kind) in half.origin.items():
        if kind != "original" and path in content_of:
            whole = original[source.file]
            pair = frozenset((content_of.get(path, -1), content_of.get(whole, -2)))
            together = path in group_of and group_of[path] == group_of.get(whole)
            kinds.setdefault(kind, []).append((pair in proposed or len(pair) == 1, together))
    originals = len(original)
    print(f"second half: {originals} recordings, {len(half.origin) - originals} copies of them")
    print("copy                 sounds  proposed  in its group")
    for kind, rows in [*kinds.items(), ("all", list(chain(*kinds.values())))]:
        share = np.array(rows, dtype=float).mean(axis=0)
        print(f"{kind:20} {len(rows):6}  {share[0]:8.3f}  {share[1]:12.3f}")
    rights, wrongs = 0, []
    for group in groups:
        best = half.origin[group.sounds[0].path][0]
        for sound in group.sounds[1:]:
            other = half.origin[sound.path][0]
            if other.file == best.file:
                rights += 1
            else:
                wrongs.append((sound.score, best, other))
    families = alike_pairs(half)
    print(
        f"precision {rights / max(1, rights + len(wrongs)):.4f}: {rights} right, {len(wrongs)} wrong, "
        f"among {families}"
    )
    print("the wrong ones: agreement, correlation of the waveforms")
    for score, one, two in sorted(wrongs, key=lambda row: -row[0]):
        names = f"{one.file.name}  {two.file.name}  ({one.family})"
        print(f"  {score:.2f}  {correlation(one.file, two.file):.3f}  {names}")


def correlation(one: Path, two: Path) -> float:
    """Return the normalised correlation of two waveforms at the best offset."""
    left, right = (_waveform(path) for path in (one, two))
    size = 1 << (len(left) + len(right)).bit_length()
    products = np.fft.irfft(np.fft.rfft(left, size) * np.fft.rfft(right, size).conj(), size)
    best = int(np.argmax(np.abs(products)))
    shift = best - size if best > size // 2 else best
    begin, end = max(0, shift), min(len(left), shift + len(right))
    first, second = left[begin:end], right[begin - shift : end - shift]
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))


def _waveform(path: Path) -> np.ndarray:
    samples, _ = at_rate(soundfile.read(path, dtype="float32", always_2d=True), 16_000)
    mixed: np.ndarray = samples.mean(axis=1)
    return mixed


def alike_pairs(half: Half) -> str:
    """Return, in words, how many proposed pairs only sound alike."""
    ids = half.contents.ids
    takes = others = 0
    for one, two in zip(
        ids[half.pairs.first].tolist(), ids[half.pairs.second].tolist(), strict=True
    ):
        left, right = half.source(one), half.source(two)
        if left.file != right.file:
            takes += left.family == right.family
            others += left.family != right.family
    return f"{takes} proposed pairs of takes and {others} of others"


def quality(shared: Path, part: float, copied: float) -> None:
    takes = sources(shared, part)
    with tempfile.TemporaryDirectory() as folder, IsolatedReader(PROCESSES) as reader:
        for number, show in enumerate((choose, report)):
            here = Path(folder) / f"half{number}"
            origin = spread(
                [take for take in takes if take.number % HALVES == number], here, copied
            )
            with Library.open(Path(folder) / f"{number}.library", create=True) as library:
                library.add(here)
                show(Half(library, reader, origin))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--corpus", type=float, default=0.1, help="part of the corpus")
    parser.add_argument("--copied", type=float, default=0.06, help="part that is copied")
    args = parser.parse_args(arguments)
    quality(args.shared, args.corpus, args.copied)


if __name__ == "__main__":
    main()
