"""An MS-CLAP to be trained: its towers, and the way back to a bundle and to a file of its own kind.

The bundle says what the model reads (front end, window, tokenizer), the file holds the weights. The
run leaves `checkpoint.pth` beside its bundle, which the package `msclap` and ``models add`` read,
and which the next run starts from.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from audiosearch.errors import ModelNotFound
from audiosearch.models import msclap_file, msclap_towers
from audiosearch.models.bundle import TOKENIZER, Bundle, file_entry
from audiosearch.models.msclap import mark, open_file, scale_of
from audiosearch.training.trainee import Parts, Trainee

CHECKPOINT = "checkpoint.pth"


def from_file(file: Path, tokenizer: str | None, folder: Path, scratch: bool) -> Trainee:
    """Open a file; `folder` takes its tokenizer. Raises `ModelNotFound`, `ModelBroken`."""
    if not file.is_file():
        raise ModelNotFound(f"there is no file {file}")
    opened = open_file(file, tokenizer, lambda step: None)
    folder.mkdir(parents=True, exist_ok=True)
    opened.tokenizer.save(str(folder / TOKENIZER))
    weights = file_entry(file).blake2b
    bundle = Bundle(
        directory=folder,
        name=file.stem,
        revision=weights[:12],
        licence="unknown",
        precision="fp32",
        files={},
        weights=mark(weights),
        origin=str(file.absolute()),
        **(opened.facts() | {"front_end": opened.front_end}),
    )
    return _trainee(bundle, file, opened.state, scratch)


def from_bundle(bundle: Bundle, file: Path, scratch: bool) -> Trainee:
    """Open the file that a bundle was made of. Raises `ModelBroken`."""
    state = msclap_file.read_file(file)
    # The bundle's towers may be in int8; what is trained is the file's.
    return _trainee(replace(bundle, logit_scale=scale_of(state)), file, state, scratch)


def _trainee(bundle: Bundle, file: Path, state: dict[str, Any], scratch: bool) -> Trainee:
    make = msclap_towers.shaped if scratch else msclap_towers.build
    sounds, words = make(state, file)
    module = nn.ModuleDict({"audio": sounds, "text": words})

    def trunk(name: str) -> str:
        tower, _, rest = name.partition(".")
        return "projection" if rest.startswith("projection.") else tower

    def write(trainee: Trainee, directory: Path) -> dict[str, Any]:
        frames = bundle.front_end.frame_count(bundle.window_samples)
        msclap_towers.export_towers(sounds, words, frames, directory)
        shutil.copyfile(trainee.parts.tokenizer, directory / TOKENIZER)
        made = msclap_file.with_weights(state, sounds, words)
        made["logit_scale"] = trainee.scale.detach().reshape(state["logit_scale"].shape)
        kept = directory.parent / CHECKPOINT
        msclap_file.write_file(kept, made)
        weights = mark(file_entry(kept).blake2b)
        return {"precision": "fp32", "origin": str(kept.absolute()), "weights": weights}

    tokenizer = bundle.directory / TOKENIZER
    # Of both tokenizers 0 fills up: BERT's [PAD], and what the original puts behind GPT-2's texts.
    return Trainee(
        Parts(module, sounds, words, trunk, bundle, tokenizer, 0, write), scratch=scratch
    )
