"""What chance reaches: how far above the rest of a library the best sound for a meaningless text is.

A search always has a best hit. For "campfire" in a library with a campfire it stands far above the
average sound; for made-up words it stands a little above, as the luckiest of many does. So an index
run searches for made-up texts, and keeps what most of them do not reach. A hit of a real query that
does not get beyond it is weak: nothing says that it has to do with the query. What was measured is
in `scripts/bench/weak.py`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading

if TYPE_CHECKING:
    from audiosearch.models.model import Model

# The row of `meta`.
KEY = "chance"

_TEXTS = 96

# A made-up text in ten gets beyond; at 95 % twice as many real queries are called weak.
_PERCENT = 90.0

# In a library of fewer sounds there is no average to stand out from.
LEAST_SOUNDS = 50

# How much a library may grow or shrink before it is measured again.
_DRIFT = 0.1

_BEGIN = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "bl", "dr", "gr"]
_BEGIN += ["kl", "pl", "qu", "sk", "sn", "tr", "zw", "sh", "th"]
_MIDDLE = ["a", "e", "i", "o", "u", "oo", "ai", "ee", "y"]
_END = ["", "", "n", "r", "x", "sk", "mp", "zz", "th", "rg", "lk"]


def made_up_texts() -> list[str]:
    """Return the same texts each time: words that could be, and letters without order."""
    dice = random.Random(5)

    def word() -> str:
        parts = (_BEGIN, _MIDDLE, _END)
        syllables = dice.choice((1, 2, 2, 3))
        return "".join(dice.choice(part) for _ in range(syllables) for part in parts)

    def letters() -> str:
        return "".join(chr(dice.randrange(97, 123)) for _ in range(dice.randint(4, 10)))

    return [
        " ".join((letters if number % 3 == 2 else word)() for _ in range(dice.choice((1, 1, 2, 3))))
        for number in range(_TEXTS)
    ]


@dataclass(frozen=True)
class Chance:
    """`margin` is how far a score must stand above the mean of the sample's (`Sample.spread`) not to
    be weak, for the model of that digest and the text tower of that `revision`; measured when the
    library had so many `windows`.
    """

    digest: str
    revision: str
    windows: int
    margin: float

    @property
    def stored(self) -> str:
        """The form in `meta`."""
        return json.dumps(asdict(self))


def stored_chance(connection: Connection, model: Model) -> Chance | None:
    """Return what was measured with this model, if it was.

    A model whose words alone were taught again keeps its digest (`Bundle.vectors_of`), not its scores.
    """
    value = reading.get_meta(connection, KEY)
    if value is None:
        return None
    try:
        chance = Chance(**json.loads(value))
    except (ValueError, TypeError):  # of another version
        return None
    own = (model.identity.digest, model.bundle.revision)
    return chance if (chance.digest, chance.revision) == own else None


def is_stale(chance: Chance | None, windows: int) -> bool:
    """Return whether a library of so many windows should be measured again."""
    return chance is None or abs(windows - chance.windows) > _DRIFT * chance.windows


def chance_of(model: Model, windows: int, margins: Sequence[float]) -> Chance:
    """Return the chance from how far the best hits of made-up texts stood above the mean."""
    margin = float(np.percentile(margins, _PERCENT))
    return Chance(model.identity.digest, model.bundle.revision, windows, margin)
