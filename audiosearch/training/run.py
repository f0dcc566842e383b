"""A whole run: from pairs to a bundle, in a folder that says how it came about.

The folder holds `run.json` (settings, command, versions, what was learnt from), `split.csv`,
`log.jsonl`, `curves.svg`, `result.json` and `bundle`, which ``index --model`` takes. The same
command takes up a run that was stopped, in whichever phase, and ends with the same bits.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import AudioSearchError, ModelBroken
from audiosearch.training.options import Options, Progress, TrainingFailed

if TYPE_CHECKING:
    from audiosearch.training.batches import Learnt
    from audiosearch.training.loop import State
    from audiosearch.training.outcome import Change
    from audiosearch.training.pairs import Pair, Pairs

# What may differ when a run is taken up: where and how, not what.
_FREE = ("run", "command", "name", "micro_batch")


@dataclass(frozen=True)
class Outcome:
    """The end of a run: the bundle's directory, the epoch that was kept, and what changed."""

    bundle: Path
    best_epoch: int
    epochs: int
    changes: tuple[Change, ...]


def check_extra() -> None:
    """Raise `TrainingFailed` where the extra ``train`` is not installed."""
    try:
        import onnx  # noqa: F401
        import safetensors  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise TrainingFailed(
            f"training needs {error.name}, which is not installed: pip install 'audiosearch[train]'"
        ) from error


def train(pairs: Pairs, options: Options, progress: Progress | None = None) -> Outcome:
    """Train, measure and write a bundle. Raises `TrainingFailed` and other `AudioSearchError`s.

    An interrupt leaves a run that the same call takes up.
    """
    import torch

    from audiosearch.training.batches import Learnt, Maker
    from audiosearch.training.contrast import Contrast
    from audiosearch.training.decoded import decode
    from audiosearch.training.embedding import retrieve
    from audiosearch.training.loop import Loop
    from audiosearch.training.outcome import compare
    from audiosearch.training.sources import open_trainee
    from audiosearch.training.split import split
    from audiosearch.training.steps import device_of, precision_of

    talk = progress or Progress()
    device = device_of(options.device)
    precision = precision_of(device, options.precision)
    for notice in pairs.notices:
        talk.tell(notice)
    fresh = _begin(pairs, options, device, precision)
    torch.manual_seed(options.seed)
    talk.tell(f"loading {options.start}")
    try:
        trainee = open_trainee(
            options.start,
            options.run / "start",
            scratch=options.scratch,
            tokenizer=options.tokenizer,
        )
    except AudioSearchError:
        if fresh:  # nothing was begun: the folder may be given again, with another start
            shutil.rmtree(options.run / "start", ignore_errors=True)
            (options.run / "run.json").unlink(missing_ok=True)
        raise
    trainee.move(device)
    bundle = trainee.parts.bundle
    paths = [pair.path for pair in pairs.pairs]
    decoded = decode(paths, bundle, options.longest, options.run / "sounds", talk)
    kept = _usable(pairs.pairs, decoded.hashes, decoded.failed, talk)
    if len(kept) < 6:
        raise TrainingFailed(f"only {len(kept)} of {len(paths)} sounds can be used: see above")
    parts = split([group for _, _, group in kept], options.held_out, options.test, options.seed)

    def learnt(rows: tuple[int, ...]) -> Learnt:
        files = np.array([kept[row][0] for row in rows])
        return Learnt(decoded, files, [kept[row][1] for row in rows])

    _write_split(options.run, pairs.pairs, kept, asdict(parts))
    maker = Maker(trainee, device, options.augment, options.seed)
    test = learnt(parts.test)
    talk.tell(
        f"{len(parts.train)} sounds to learn from, {len(parts.held_out)} to choose the epoch by, "
        f"{len(test.files)} to measure on; {device}, {precision}"
    )
    loop = Loop(
        trainee,
        Contrast(
            trainee,
            maker,
            learnt(parts.train),
            learnt(parts.held_out),
            options.batch,
            device,
            precision,
        ),
        options,
        device=device,
        progress=talk,
        on_epoch=lambda state: _write_log(options, state),
    )
    talk.tell("measuring before")
    before = retrieve(trainee, maker, test, device)
    state = loop.run()
    talk.tell("measuring after")
    after = retrieve(trainee, maker, test, device)
    talk.tell("writing the bundle")
    written = _write_bundle(trainee, options)
    outcome = Outcome(
        written, state.best_epoch, len(state.epochs) - 1, tuple(compare(before, after))
    )
    _write(options.run / "result.json", json.dumps(asdict(outcome), indent=1, default=str) + "\n")
    shutil.rmtree(options.run / "sounds", ignore_errors=True)  # gigabytes that nobody needs now
    return outcome


def _begin(pairs: Pairs, options: Options, device: str, precision: str) -> bool:
    """Write `run.json` and return True, or check that the one there is this run's.

    Raises `TrainingFailed` for a run that is finished, or that another command began.
    """
    settings = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in _FREE}
    digest = hashlib.blake2b(digest_size=16)
    for pair in pairs.pairs:
        text = json.dumps([os.fsdecode(pair.path), pair.captions, pair.group])
        digest.update(text.encode("ascii"))
    facts = {**settings, "sounds": len(pairs.pairs), "data": digest.hexdigest()}
    place = options.run / "run.json"
    if (options.run / "result.json").is_file():
        raise TrainingFailed(f"the run {options.run} is finished: choose another folder with --run")
    if place.is_file():
        try:
            stored = json.loads(place.read_text(encoding="utf-8"))["settings"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingFailed(
                f"{place} cannot be read: choose another folder with --run"
            ) from error
        for key, value in facts.items():
            if stored.get(key) != value:
                raise TrainingFailed(
                    f"the run {options.run} was begun with {key} {stored.get(key)}, not {value}: "
                    "repeat its command, which run.json holds, or choose another folder with --run"
                )
        return False
    try:
        options.run.mkdir(parents=True, exist_ok=True)
        if any(options.run.iterdir()):
            raise TrainingFailed(f"{options.run} is no run and not empty: choose another --run")
    except OSError as error:
        raise AudioSearchError(f"cannot write {options.run}: {error.strerror}") from error
    versions = {name: version(name) for name in ("audiosearch", "torch", "transformers", "numpy")}
    about = {
        "command": options.command,
        "settings": facts,
        "device": device,
        "precision": precision,
    }
    about |= {
        "versions": versions,
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    _write(place, json.dumps(about, indent=1) + "\n")
    return True


def _usable(
    pairs: tuple[Pair, ...],
    hashes: tuple[str, ...],
    failed: tuple[str | None, ...],
    talk: Progress,
) -> list[tuple[int, tuple[str, ...], str]]:
    """Number, captions and group of each sound that could be decoded. Copies are one sound: else
    what is learnt would be measured.
    """
    kept: dict[str, tuple[int, tuple[str, ...], str]] = {}
    for number, (pair, digest, reason) in enumerate(zip(pairs, hashes, failed, strict=True)):
        if reason is not None:
            talk.tell(f"left out: {pair.path}: {reason}")
        elif digest in kept:
            first, captions, group = kept[digest]
            kept[digest] = (first, tuple(dict.fromkeys((*captions, *pair.captions))), group)
        else:
            kept[digest] = (number, pair.captions, pair.group)
    return list(kept.values())


def _write_split(
    run: Path,
    pairs: tuple[Pair, ...],
    kept: list[tuple[int, tuple[str, ...], str]],
    parts: Mapping[str, tuple[int, ...]],
) -> None:
    part_of = {row: name for name, rows in parts.items() for row in rows}
    try:
        with (run / "split.csv").open(
            "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:
            writer = csv.writer(file)
            writer.writerow(["file", "part", "group", "captions"])
            for row, (number, captions, group) in enumerate(kept):
                writer.writerow([pairs[number].path, part_of[row], group, len(captions)])
    except OSError as error:
        raise AudioSearchError(f"cannot write {run / 'split.csv'}: {error.strerror}") from error


def _write_log(options: Options, state: State) -> None:
    from audiosearch.training.curves import curves_svg

    lines = [json.dumps(row) + "\n" for row in state.epochs]
    _write(options.run / "log.jsonl", "".join(lines))
    title = f"{options.run.name}: from {options.start}"
    _write(options.run / "curves.svg", curves_svg(state.epochs, state.best_epoch, title))


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise AudioSearchError(f"cannot write {path}: {error.strerror}") from error


def _write_bundle(trainee: Any, options: Options) -> Path:
    """Write the bundle and compare it with the towers that were trained."""
    from audiosearch.models.bundle import AUDIO, TEXT, TOKENIZER, file_entry
    from audiosearch.models.model import Model
    from audiosearch.models.place import write_manifest
    from audiosearch.training.agreement import check_agreement
    from audiosearch.training.sources import facts_of

    start = trainee.parts.bundle
    target, fresh = options.run / "bundle", options.run / "bundle.new"
    try:
        for left in (target, fresh):
            shutil.rmtree(left, ignore_errors=True)
        fresh.mkdir()
        facts_of_towers = trainee.write(fresh)
        files = (AUDIO, TEXT, TOKENIZER)
        hashes = "".join(file_entry(fresh / name).blake2b for name in files)
        values = {
            "name": options.name or options.run.absolute().name,
            "revision": hashlib.blake2b(hashes.encode(), digest_size=6).hexdigest(),
            "origin": f"trained from {start.name} ({start.revision[:12]})",
            **facts_of(start),
            **facts_of_towers,
        }
        bundle = write_manifest(fresh, values, files)
        check_agreement(Model(bundle), trainee)
        fresh.rename(target)
    except OSError as error:
        raise AudioSearchError(f"cannot write {target}: {error.strerror}") from error
    except ModelBroken as error:
        raise TrainingFailed(f"the trained model makes no bundle: {error}") from error
    return target
