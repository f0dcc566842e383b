"""How many made-up texts are called weak, and how many real queries wrongly are.

    python -m scripts.bench.weak LIBRARY --manifest sample_library/manifest.csv
    python -m scripts.bench.weak LIBRARY --manifest .../esc10/manifest.csv

Real queries are the kinds, labels and descriptions of the manifest's sounds, all of which the
library must hold. The made-up ones come from other syllables than those that the library was
measured with (`audiosearch.search.chance`), and from a list that was typed by hand.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Sequence
from pathlib import Path

from audiosearch import Library

TYPED = [
    "qwertyuiop",
    "asdf",
    "blorf",
    "wug",
    "lorem ipsum",
    "flibbertigibbet",
    "xyzzy",
    "florp gnabble",
    "zzyzx",
    "kjhgfd",
    "mxyzptlk",
    "snorfle wib",
    "hjkl",
    "foo bar baz",
    "aaaaaa",
    "quux",
    "frobnicate",
    "glarb",
    "twas brillig",
    "slithy toves",
]


def made_up(count: int) -> list[str]:
    """Return words of open syllables, one to three to a text."""
    dice = random.Random(11)

    def word() -> str:
        return "".join(
            dice.choice("bcdfghjklmnpqrstvwxz") + dice.choice(("a", "e", "i", "o", "u", "au", "ie"))
            for _ in range(dice.randint(2, 4))
        )

    return [" ".join(word() for _ in range(dice.randint(1, 3))) for _ in range(count)]


def weak_share(library: Library, texts: Sequence[str]) -> tuple[float, list[str]]:
    """Return the share of texts whose best hit by sound is weak, and these texts."""
    weak = [text for text in texts if library.search(text, 1, match="sound")[0].weak]
    return len(weak) / len(texts), weak


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("library", type=Path)
    parser.add_argument("--manifest", type=Path, required=True)
    options = parser.parse_args()
    with options.manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    real = {
        column: sorted({row[column] for row in rows})
        for column in ("label", "kind", "description")
        if column in rows[0]
    }
    with Library.open(options.library) as library:
        for name, texts in {"made-up": made_up(200), "typed": TYPED, **real}.items():
            share, weak = weak_share(library, texts)
            shown = "" if name == "made-up" else f": {', '.join(weak[:12])}"
            print(f"{name:12} {len(texts):4} texts, weak {100 * share:5.1f} %{shown}")


if __name__ == "__main__":
    main()
