"""A head: a trained classifier over the vectors of one model, and its stored form.

The stored form is an ``.npz`` archive of float32 arrays (`weights0`, `biases0`, ... and
`calibration`), read without pickle, and two JSON texts: the labels, and the facts of the training.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import HeadMismatch, HeadNotFound, InvalidQuery, LibraryDamaged
from audiosearch.heads.calibration import Calibration
from audiosearch.heads.fit import Layers

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from audiosearch.catalog.records import StoredModel

_NAME = re.compile(r"[^\W_][\w.-]{0,79}")
_MOST_LAYERS = 2
# What can go wrong when a damaged archive is read: numpy and zipfile document no more than these.
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, OSError, TypeError)


@dataclass(frozen=True)
class Head:
    """A classifier over vectors of the model with this `digest`, which is called `model`.

    With `multi`, labels do not exclude each other. `facts` say how the head was trained: sounds,
    groups, kind, figures with their intervals.
    """

    name: str
    labels: tuple[str, ...]
    multi: bool
    digest: str
    model: str
    layers: Layers
    calibration: Calibration
    facts: Mapping[str, Any] = field(default_factory=dict)

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Return the calibrated logits (n, labels), float64, of vectors (n, d)."""
        return self.calibration.logits(self.layers.logits(vectors))

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, labels) of vectors (n, d). Without `multi` a row adds up to 1."""
        return self.calibration.probabilities(self.layers.logits(vectors), self.multi)

    def numbers(self) -> bytes:
        """Return the numbers of the head as an ``.npz`` archive."""
        arrays = {}
        for index, (weights, biases) in enumerate(self.layers.layers):
            arrays[f"weights{index}"] = weights.astype(np.float32)
            arrays[f"biases{index}"] = biases.astype(np.float32)
        calibration = [self.calibration.slope, self.calibration.offset]
        arrays["calibration"] = np.array(calibration, dtype=np.float32)
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **arrays)
        return stream.getvalue()


def check_name(name: str) -> str:
    """Return the name of a head as it is. Raises `InvalidQuery` for one that filters cannot name."""
    if not _NAME.fullmatch(name):
        raise InvalidQuery(
            f"{name[:80]!r} cannot name a head: use letters, digits, dots, dashes and underscores"
        )
    return name


def numbers_digest(numbers: bytes) -> str:
    """Return a digest of a head's stored numbers: two heads that differ have two digests."""
    return hashlib.blake2b(numbers, digest_size=8).hexdigest()


def head_of_row(row: Row[Any], dimension: int | None = None) -> Head:
    """Return the head that a row of the catalog holds.

    Raises `LibraryDamaged` where the row does not hold one for vectors of that dimension.
    """
    try:
        labels, facts = json.loads(row.labels), json.loads(row.facts)
        with np.load(io.BytesIO(row.numbers), allow_pickle=False) as arrays:
            count = sum(name.startswith("weights") for name in arrays.files)
            layers = tuple(
                (_finite(arrays[f"weights{i}"]), _finite(arrays[f"biases{i}"]))
                for i in range(count)
            )
            slope, offset = _finite(arrays["calibration"]).tolist()
        _check_shapes(layers, len(labels), dimension)
        return Head(
            row.name,
            tuple(map(str, labels)),
            bool(facts["multi"]),
            row.digest,
            row.model,
            Layers(layers),
            Calibration(slope, offset),
            facts,
        )
    except _DAMAGE as error:
        raise LibraryDamaged(
            f"the head {row.name} is damaged ({' '.join(str(error).split())[:80]}): train it again, "
            f"or drop it with: audiosearch head remove {row.name}"
        ) from error


def _finite(array: np.ndarray) -> np.ndarray:
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("its numbers are not finite")
    return values


def _check_shapes(
    layers: tuple[tuple[np.ndarray, np.ndarray], ...], labels: int, dimension: int | None
) -> None:
    width = dimension
    if not 1 <= len(layers) <= _MOST_LAYERS:
        raise ValueError(f"it has {len(layers)} layers")
    for weights, biases in layers:
        if weights.ndim != 2 or biases.shape != weights.shape[1:]:
            raise ValueError("its layers do not fit together")
        if width is not None and weights.shape[0] != width:
            raise ValueError("its layers do not fit the vectors")
        width = weights.shape[1]
    if width != labels:
        raise ValueError("it has another number of labels than its layers")


def made_by(row: Row[Any]) -> str:
    """Return the command that makes the head of a row, without its options."""
    try:
        facts = json.loads(row.facts)
        source = shlex.quote(facts["source"])
    except (ValueError, KeyError, TypeError):
        source = "FOLDER"
    if '"zero-shot"' in row.facts:
        return f"audiosearch eval DATASET --prompts list --keep {row.name}"
    return f"audiosearch head train {row.name} --from {source}"


def load_head(connection: Connection, name: str, stored: StoredModel | None) -> Head:
    """Return the head of that name, for vectors of the library's model.

    Raises `HeadNotFound`, `LibraryDamaged`, and `HeadMismatch` where the head was trained on the
    vectors of another model.
    """
    from audiosearch.catalog.heads import head_row, head_rows

    row = head_row(connection, name)
    if row is None:
        names = ", ".join(other.name for other in head_rows(connection)) or "none yet"
        raise HeadNotFound(
            f"there is no head {name[:80]!r} in the library (there is: {names}): make one with: "
            "audiosearch head train NAME --from FOLDER"
        )
    if stored is not None and row.digest != stored.digest:
        raise HeadMismatch(
            f"the head {name} was trained on vectors of the model {row.model}, and the library "
            f"answers with another ({stored.name}): make it again with: {made_by(row)}"
        )
    return head_of_row(row, stored.dimension if stored else None)
