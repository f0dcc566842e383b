"""`LibraryHeads`: the heads of an open library, as `library.heads` offers them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.catalog import reading
from audiosearch.catalog.heads import head_row, head_rows
from audiosearch.catalog.reader import CatalogReader
from audiosearch.catalog.store import Store
from audiosearch.errors import AudioRejected, InvalidQuery
from audiosearch.heads.fit import BLEND
from audiosearch.heads.head import Head, check_name, head_of_row, load_head
from audiosearch.models.active import ActiveModel
from audiosearch.models.embedding import mean_of
from audiosearch.search.composition import stored_windows
from audiosearch.search.isolation import Isolation

if TYPE_CHECKING:
    from audiosearch.evaluation.labelled import Example, Examples
    from audiosearch.evaluation.supervised import HeadFigures
    from audiosearch.models.model import Model

FilePath = str | os.PathLike[str]

TAG = "tag:"


@dataclass(frozen=True)
class HeadSummary:
    """A head of the library without its numbers. `usable` is false where the library answers with
    another model than the head's. `facts` has what `train` measured.
    """

    name: str
    labels: tuple[str, ...]
    multi: bool
    model: str
    usable: bool
    facts: dict[str, Any]


@dataclass(frozen=True)
class TrainedHead:
    """A head that was trained and kept, the figures of its cross-validation, and in `notices` what
    was left out.
    """

    head: Head
    figures: HeadFigures
    notices: tuple[str, ...]


class LibraryHeads:
    """The heads of one library. It is thread-safe."""

    def __init__(
        self, store: Store, reader: CatalogReader, model: ActiveModel, decoding: Isolation
    ) -> None:
        self._store = store
        self._reader = reader
        self._model = model
        self._decoding = decoding

    def train(
        self,
        name: str,
        source: FilePath,
        *,
        group: str | None = None,
        hidden: int = 0,
        multi: bool | None = None,
        balanced: bool = False,
        blend: bool = False,
        folds: int = 5,
        seed: int = 0,
        on_progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> TrainedHead:
        """Train a head on labelled sounds, measure it by cross-validation, and keep it.

        `source` is a folder with a folder of sounds for each label, a csv file with the columns
        ``file`` and ``label``, or the name of a field in the metadata or tags of this library's
        sounds (``tag:NAME`` where a folder has that name too). Sounds of the library give their
        stored vectors; any other file is embedded. `group` says which sounds belong together:
        ``file``, ``folder``, or a column or field (see `evaluation.labelled`). `hidden` is the
        number of units of a hidden layer, 0 for a linear head. `multi` is whether labels may occur
        together; by default they may if any sound has several. `balanced` gives each class equal
        weight. `blend` starts from the names of the labels, as zero-shot classification does, which
        helps where examples are few. `on_progress` is called with sounds done and in all.

        Raises `InvalidQuery` for examples that cannot be learned from and measured on,
        `DatasetError`, `AudioRejected` where no file can be read, and `LibraryBusy`.

        >>> trained = library.heads.train("kinds", "sample_library/manifest.csv", group="file")
        Traceback (most recent call last):
        audiosearch.errors.InvalidQuery: the label 'alarm clock' has 1 sound: at least two ...
        """
        from audiosearch.evaluation.supervised import head_figures
        from audiosearch.heads.folds import group_numbers
        from audiosearch.heads.training import Recipe, train
        from indexer.heads import keep_head

        check_name(name)
        if hidden < 0 or folds < 2:
            raise InvalidQuery("a hidden layer has no fewer than 0 units, and folds are at least 2")
        if blend and hidden:
            raise InvalidQuery("blending with the labels' names goes with a linear head only")
        chosen = self._examples(os.fspath(source), group)
        several = any(len(example.labels) > 1 for example in chosen.examples)
        if multi is False and several:
            raise InvalidQuery("some sounds have several labels: leave multi=False out")
        recipe = Recipe(several if multi is None else multi, hidden, balanced, folds, seed)
        vectors, examples, digest, model = self._vectors(chosen, on_progress)
        labels = tuple(sorted({label for example in examples for label in example.labels}))
        truth = np.array([[label in e.labels for label in labels] for e in examples])
        groups = merged(group_numbers([example.group for example in examples]), vectors)
        prior = self._prior(labels) if blend else None
        trained = train(vectors, truth, groups, labels, recipe, prior=prior)
        figures = head_figures(
            trained.held_out,
            trained.uncalibrated,
            truth,
            groups,
            trained.folds,
            multi=recipe.multi,
        )
        facts = {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "source": os.fsencode(os.fspath(source)).decode("utf-8", "replace"),
            "grouped_by": group,
            "kind": f"hidden layer of {hidden}" if hidden else "linear",
            **asdict(recipe),
            "blend": blend,
            "strength": trained.strength,
            "figures": asdict(figures),
        }
        head = Head(
            name,
            labels,
            recipe.multi,
            digest,
            model,
            trained.layers,
            trained.calibration,
            facts,
        )
        keep_head(self._store, head)
        return TrainedHead(head, figures, tuple(chosen.notices))

    def keep(self, head: Head) -> None:
        """Keep a head under its name, in the place of any that has it. Raises `LibraryBusy`."""
        from indexer.heads import keep_head

        check_name(head.name)
        keep_head(self._store, head)

    def all(self) -> list[HeadSummary]:
        """Return the heads of the library, ordered by name, without their numbers.

        >>> library.heads.all()
        []
        """
        with self._reader.snapshot() as connection:
            stored = reading.active_model(connection)
            return [
                HeadSummary(
                    row.name,
                    tuple(json.loads(row.labels)),
                    bool(json.loads(row.facts).get("multi")),
                    row.model,
                    stored is None or row.digest == stored.digest,
                    json.loads(row.facts),
                )
                for row in head_rows(connection)
            ]

    def get(self, name: str) -> Head:
        """Return the head of that name, whatever model it is for.

        Raises `HeadNotFound`, and `LibraryDamaged` where its record is damaged.
        """
        with self._reader.snapshot() as connection:
            row = head_row(connection, name)
            return head_of_row(row) if row else load_head(connection, name, None)

    def usable(self, name: str) -> Head:
        """Return the head of that name for this library's vectors.

        Raises what `get` raises, and `HeadMismatch` where it is a head of another model.
        """
        with self._reader.snapshot() as connection:
            return load_head(connection, name, reading.active_model(connection))

    def remove(self, name: str) -> None:
        """Remove the head of that name, damaged or not. Raises `HeadNotFound` or `LibraryBusy`."""
        from indexer.heads import remove_head

        remove_head(self._store, name)

    def _examples(self, source: str, group: str | None) -> Examples:
        from audiosearch.evaluation.labelled import examples_of_sounds, examples_on_disk
        from audiosearch.paths import user_path

        if not source.startswith(TAG):
            path = user_path(source)
            if path.exists() or path.suffix == ".csv" or os.sep in source:
                return examples_on_disk(path, group)
        with self._reader.snapshot() as connection:
            sounds = reading.iterate_sounds(connection, failed=False)
            return examples_of_sounds(sounds, source.removeprefix(TAG), group)

    def _vectors(
        self, chosen: Examples, on_progress: Callable[[int, int], object]
    ) -> tuple[np.ndarray, list[Example], str, str]:
        """Return the mean vectors (n, d) of the examples that have one, these examples, and the
        digest and the name of the model.
        """
        with self._reader.snapshot() as connection:
            stored = reading.active_model(connection)
        vectors, kept = [], []
        unreadable: dict[str, list[str]] = {}
        for done, example in enumerate(chosen.examples, 1):
            try:
                vectors.append(self._vector(example.sound))
                kept.append(example)
            except AudioRejected as error:
                unreadable.setdefault(str(error), []).append(str(example.sound))
            on_progress(done, len(chosen.examples))
        for reason, names in unreadable.items():
            chosen.leave_out(names, reason)
        if not kept:
            raise InvalidQuery(f"none of the {len(chosen.examples)} sounds can be read")
        if stored:
            return np.stack(vectors), kept, stored.digest, stored.name
        model: Model = self._model.matching(None)
        return np.stack(vectors), kept, model.identity.digest, model.bundle.name

    def _vector(self, sound: str | int) -> np.ndarray:
        """Return the mean vector (d,): the stored one where there is one, else a fresh one."""
        with self._reader.snapshot() as connection:
            stored = reading.active_model(connection)
            windows = stored and stored_windows(connection, sound, stored)
            if windows is None and isinstance(sound, int):
                raise AudioRejected("empty", "the library's model has no vectors of it")
        if windows:
            return mean_of(windows.vectors)
        return self._decoding.reader.embed(self._model.matching(stored), str(sound)).mean

    def _prior(self, labels: Sequence[str]) -> np.ndarray:
        """Return the weights (d, labels) of zero-shot classification by the labels' names."""
        from audiosearch.models.model import apply_template

        with self._reader.snapshot() as connection:
            stored = reading.active_model(connection)
        model = self._model.matching(stored)
        texts = [apply_template(model.bundle.query_template, label) for label in labels]
        weights: np.ndarray = BLEND * model.bundle.logit_scale * model.embed_text(texts).T
        return weights.astype(np.float64)


def merged(groups: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return group numbers (n,) where sounds with one vector, which are copies, share a group."""
    parents = np.arange(groups.max() + 1)

    def top(group: int) -> int:
        while parents[group] != group:
            group = int(parents[group])
        return group

    first: dict[bytes, int] = {}
    for group, key in zip(groups.tolist(), _keys(vectors), strict=True):
        parents[top(group)] = top(first.setdefault(key, group))
    roots = np.array([top(group) for group in groups.tolist()])
    numbers: np.ndarray = np.unique(roots, return_inverse=True)[1]
    return numbers


def _keys(vectors: np.ndarray) -> Iterator[bytes]:
    return (vector.astype(np.float16).tobytes() for vector in vectors)
