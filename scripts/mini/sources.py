"""The list of what mini was trained on: `SOURCES.csv` beside its weights.

`python -m scripts.mini.sources --shared ../shared --work DIR --exclude FILE --to FILE` counts, for
each source (a repository at a commit, or a package) and licence, the clips that training may hear.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from scripts.mini.corpus import open_corpus, read_groups, split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--exclude", type=Path, action="append", default=[])
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    clips, _ = open_corpus(args.work)
    excluded = {group for path in args.exclude for group in read_groups(path)}
    heard = {clips[i].file for i in split(clips, excluded)[0]}
    with (args.shared / "data/corpus/manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] in heard]
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        source = row["source"].partition(":")[0].removeprefix("pkg ").removeprefix("deb ")
        seconds[source, row["license"]].append(float(row["seconds"]))
    with args.to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["source", "licence", "clips", "minutes"])
        for (source, licence), all_of in sorted(seconds.items()):
            writer.writerow([source, licence, len(all_of), f"{sum(all_of) / 60:.1f}"])
    hours = sum(sum(all_of) for all_of in seconds.values()) / 3600
    print(f"{len(rows)} clips, {hours:.2f} hours, {len({s for s, _ in seconds})} sources")


if __name__ == "__main__":
    main()
