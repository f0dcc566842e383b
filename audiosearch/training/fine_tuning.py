"""Fine-tuning on a public task: for each fold, or the test part, the whole audio tower and a layer on
top learn from the rest, as CLAP's paper does for its best figures (arXiv 2206.04769).

The layer begins as the head on the frozen vectors, so that epoch 0 is that head. The dataset's
validation part chooses the epoch; where it has none, an eighth of what is learnt, whole groups. The
tower's rate is 1e-4; there are 30 epochs at most, and five without a better one end it. Nothing is
chosen on the sounds that are measured.

The folder that is given holds one for each task, model and set of sounds: what it was (`task.json`),
the log of each part and its logits. The same call takes up what was stopped, and does not do again
what was finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiosearch.errors import AudioSearchError
from audiosearch.evaluation.examples import Examples
from audiosearch.heads.fit import fit
from audiosearch.heads.folds import group_folds
from audiosearch.heads.training import Recipe, choose_strength
from audiosearch.training import checkpoint
from audiosearch.training.batches import Learnt, Maker
from audiosearch.training.classes import Classes, with_layer
from audiosearch.training.decoded import Decoded, decode
from audiosearch.training.loop import BEST, LAST, Loop, State
from audiosearch.training.options import Options, Progress, TrainingFailed
from audiosearch.training.sources import open_trainee
from audiosearch.training.steps import device_of, precision_of

SETTINGS: dict[str, Any] = {"epochs": 30, "batch": 32, "rate": 1e-3, "patience": 5, "seed": 0}
_HELD_OUT = 8  # one part of so many
_LONGEST = 60.0
_LOGITS = "logits.safetensors"


def fine_tuned_logits(
    examples: Examples, model: str, folder: Path, progress: Progress
) -> np.ndarray:
    """Return the logits (sounds, classes) of the sounds that are measured, by towers that learnt
    from the others. Raises `TrainingFailed` and other `AudioSearchError`s.
    """
    bundle = open_trainee(model, folder / "start").parts.bundle
    place = _begin(examples, f"{bundle.name} {bundle.revision}", folder)
    logits = np.full(examples.truth.shape, np.nan)
    parts = examples.parts()
    for number, (name, inside, outside) in enumerate(parts, start=1):
        run = place / name
        if not (run / _LOGITS).is_file():
            sounds = decode(examples.paths, bundle, _LONGEST, place / "sounds", progress)
            what = f"fold {name}, {number} of {len(parts)}" if name.isdigit() else "the test part"
            progress.tell(f"{examples.task.name}: fine-tuning, to measure {what}")
            _tune(examples, sounds, model, run, inside, outside, progress)
        tensors, _ = checkpoint.load(run / _LOGITS)
        logits[outside] = tensors["logits"].numpy()
    shutil.rmtree(place / "sounds", ignore_errors=True)
    return logits


def _begin(examples: Examples, model: str, folder: Path) -> Path:
    """Return the folder of these sounds and this model."""
    facts = {
        "task": examples.task.name,
        "model": model,
        "settings": SETTINGS,
        "classes": examples.classes,
        "sounds": [
            [str(path.absolute()), split, np.flatnonzero(truth).tolist()]
            for path, split, truth in zip(
                examples.paths, examples.splits, examples.truth, strict=True
            )
        ],
    }
    text = json.dumps(facts)
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    place = folder / f"{examples.task.name}-{digest}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / "task.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise AudioSearchError(f"cannot write {place}: {error.strerror}") from error
    return place


def _tune(
    examples: Examples,
    sounds: Decoded,
    model: str,
    run: Path,
    inside: np.ndarray,
    outside: np.ndarray,
    progress: Progress,
) -> None:
    """Learn from `inside` and keep the logits of `outside` in the folder of the run."""
    run.mkdir(exist_ok=True)
    options = Options(run, model, **SETTINGS)
    device = device_of(options.device)
    torch.manual_seed(options.seed)
    held_out = _held_out(examples, inside)
    learnt = np.flatnonzero(inside & ~held_out)
    recipe = Recipe(multi=examples.task.multi)
    known = examples.vectors[learnt], examples.truth[learnt]
    strength = choose_strength(*known, examples.groups[learnt], recipe)
    trainee, top = with_layer(
        open_trainee(model, run.parent.parent / "start"),
        fit(*known, multi=recipe.multi, strength=strength),
    )
    trainee.move(device)

    def chosen(rows: np.ndarray) -> Learnt:
        silent = [row for row in rows if not sounds.count[row]]
        if silent:
            raise TrainingFailed(f"{examples.paths[silent[0]]}: {sounds.failed[silent[0]]}")
        return Learnt(sounds, rows, [()] * len(rows))

    lesson = Classes(
        trainee,
        top,
        Maker(trainee, device, "none", options.seed),
        chosen(learnt),
        examples.truth[learnt],
        chosen(np.flatnonzero(held_out)),
        examples.truth[held_out],
        recipe.multi,
        options.batch,
        device,
        precision_of(device, "auto"),
    )

    def log(state: State) -> None:
        lines = "".join(json.dumps(row) + "\n" for row in state.epochs)
        checkpoint.put(run / "log.jsonl", lambda file: file.write(lines.encode()))

    loop = Loop(trainee, lesson, options, device=device, progress=progress, on_epoch=log)
    state = loop.run()
    measured = lesson.logits(chosen(np.flatnonzero(outside)))
    facts = {"epoch": state.best_epoch, "learnt": len(learnt), "held_out": int(held_out.sum())}
    checkpoint.save(run / _LOGITS, {"logits": torch.from_numpy(measured)}, facts)
    for left in (LAST, BEST):  # as large as the model, for each part
        (run / left).unlink(missing_ok=True)


def _held_out(examples: Examples, inside: np.ndarray) -> np.ndarray:
    """Which sounds (n,) bool of those `inside` choose the epoch."""
    held_out = inside & (examples.splits == "valid")
    if not held_out.any():
        rows = np.flatnonzero(inside)
        groups = np.unique(examples.groups[rows], return_inverse=True)[1]
        parts = min(_HELD_OUT, int(groups.max()) + 1)
        if parts < 2:
            raise TrainingFailed(
                f"the training sounds of {examples.task.title} are of one group: none can be held out"
            )
        held_out[rows[group_folds(groups, examples.truth[rows], parts) == 0]] = True
    return held_out
