"""The pairs of one domain: sounds of a corpus by their tags, and all of `sample_library`, as one csv.

`python -m scripts.training.domain --corpus ../shared/data/corpus --tags weapon/explosion footsteps
--to domain.csv` takes what mini has never heard: files from 20000 on, and `sample_library`, which
the recipe keeps out. Then `audiosearch train domain.csv --run DIR --test 0.5` learns from half of the
groups and measures on the other half.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "sample_library"
# The first of the corpus that no revision of mini was trained on.
FIRST_UNHEARD = 20_000


def rows(corpus: Path, tags: set[str]) -> list[tuple[str, str, str]]:
    """(file, caption, group) of both."""
    made = []
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if int(Path(row["file"]).stem) >= FIRST_UNHEARD and tags & {*row["tags"].split(";")}:
                made.append((str((corpus / row["file"]).resolve()), row["caption"], row["group"]))
    with (SAMPLES / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            made.append((str(SAMPLES / row["file"]), row["description"], row["group"]))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--tags", nargs="+", required=True)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    made = rows(args.corpus, {*args.tags})
    with args.to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "caption", "group"])
        writer.writerows(made)
    print(f"{args.to}: {len(made)} sounds of {len({group for _, _, group in made})} groups")


if __name__ == "__main__":
    main()
