"""Where trainable weights come from: the towers of mini, a checkpoint of a `ClapModel`, an MS-CLAP.

A bundle compiled from a checkpoint holds graphs that were optimised; its checkpoint is trained
instead. The hub is asked only for a checkpoint that its own client has not got.
"""

from __future__ import annotations

import shutil
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audiosearch.errors import InvalidQuery, ModelBroken
from audiosearch.models.bundle import (
    AUDIO,
    MANIFEST,
    TEXT,
    TOKENIZER,
    Bundle,
    read_bundle,
    whole_file,
)
from audiosearch.models.hub import CONFIG, Checkpoint, find_checkpoint
from audiosearch.models.known import KNOWN
from audiosearch.models.msclap import file_of
from audiosearch.models.place import TEMPLATE
from audiosearch.models.registry import find_bundle, named_directory
from audiosearch.paths import user_path
from audiosearch.training import msclap
from audiosearch.training.options import TrainingFailed
from audiosearch.training.trainee import Parts, Trainee

_HUB = "https://huggingface.co/"


def open_trainee(
    start: str, folder: Path, *, scratch: bool = False, tokenizer: str | None = None
) -> Trainee:
    """Return the model that `start` names, ready to be trained; `folder` takes its tokenizer.

    `start` is a bundle's name or directory, the directory of a `ClapModel`, or a file of MS-CLAP,
    whose `tokenizer` lies in a directory or comes from the hub. With `scratch` it gives
    architecture, front end and tokenizer, and its weights are drawn anew (seed torch before).
    Raises `ModelNotFound`, `ModelBroken`, and `TrainingFailed` for what cannot be trained.
    """
    if start.endswith(".pth"):
        return msclap.from_file(user_path(start), tokenizer, folder, scratch)
    if tokenizer:
        raise InvalidQuery(f"--tokenizer is for an MS-CLAP file: {start} brings its own")
    directory = named_directory(start)
    if directory and not (directory / MANIFEST).is_file():
        return _clap(find_checkpoint(start), folder, scratch)
    bundle = read_bundle(find_bundle(start))
    if file := file_of(bundle):
        return msclap.from_bundle(bundle, file, scratch)
    checkpoint = _checkpoint_of(bundle)
    if checkpoint:
        return _clap(checkpoint, folder, scratch)
    if bundle.origin and not (bundle.directory / TEXT).is_file():
        raise TrainingFailed(
            f"{start} was made from {bundle.origin}, which is not there: train from that"
        )
    return _mini(bundle, scratch)


def _checkpoint_of(bundle: Bundle) -> Checkpoint | None:
    """The `ClapModel` that a bundle was made of, or None."""
    origin = bundle.origin
    if bundle.name in KNOWN and origin.startswith(_HUB):
        return find_checkpoint(bundle.name)
    if origin.startswith(_HUB):
        return find_checkpoint(origin.removeprefix(_HUB), bundle.revision)
    # A run that was moved has its checkpoint beside its bundle.
    for place in (Path(origin), bundle.directory.parent / Path(origin).name):
        if origin and (place / CONFIG).is_file() and not (place / MANIFEST).is_file():
            return find_checkpoint(str(place))
    return None


def _mini(bundle: Bundle, scratch: bool) -> Trainee:
    from transformers import BertModel

    from audiosearch.training.mini_export import TextTower
    from audiosearch.training.mini_language import load_language
    from audiosearch.training.mini_towers import AudioTower, TextHead, load_audio, load_text

    where = f"{bundle.name} cannot be trained: it holds graphs alone, and not those of mini"
    try:
        tower = load_audio(whole_file(bundle, AUDIO))
        words = whole_file(bundle, TEXT)
        head, language = load_text(words), load_language(words)
    except (KeyError, ValueError, IndexError, RuntimeError, StopIteration, ModelBroken) as error:
        raise TrainingFailed(
            f"{where}: train from the checkpoint that it was made of, if there is one"
        ) from error
    if scratch:
        tower, head = AudioTower(tower.shape), TextHead()
        language = BertModel(language.config, add_pooling_layer=False)
        for layer in tower.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.1  # the recipe's 0.02 is for tens of thousands of steps
    module = nn.ModuleDict({"audio": tower, "text": TextTower(language, head)})

    def trunk(name: str) -> str:
        if name.startswith(("audio.proj.", "text.head.")):
            return "projection"
        return name.partition(".")[0]

    parts = Parts(
        module, tower, module["text"], trunk, bundle, bundle.directory / TOKENIZER, 0, _write_mini
    )
    return Trainee(parts, scratch=scratch)


def _write_mini(trainee: Trainee, directory: Path) -> dict[str, Any]:
    from audiosearch.training.mini_export import export_audio, export_text, halve_weights

    module = trainee.module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, of graphs that are compared afterwards
        export_audio(module["audio"], directory / AUDIO)
        export_text(module["text"].language, module["text"].head, directory / TEXT)
    for name in (AUDIO, TEXT):
        halve_weights(directory / name)
    shutil.copyfile(trainee.parts.tokenizer, directory / TOKENIZER)
    return {"precision": "fp16 weights"}


def _clap(checkpoint: Checkpoint, folder: Path, scratch: bool) -> Trainee:
    from transformers import ClapModel

    from audiosearch.models import onnx_export

    loaded = onnx_export.load(checkpoint.directory)
    if scratch:
        loaded = replace(loaded, clap=ClapModel(loaded.clap.config))
    clap = loaded.clap
    folder.mkdir(parents=True, exist_ok=True)
    onnx_export.write_tokenizer(loaded, folder / TOKENIZER)
    front_end = onnx_export.front_end(loaded.extractor)
    window = float(loaded.extractor.max_length_s)
    bundle = Bundle(
        directory=checkpoint.directory,
        name=checkpoint.name,
        revision=checkpoint.revision,
        dimension=int(clap.config.projection_dim),
        front_end=front_end,
        window_seconds=window,
        hop_seconds=window / 2,
        max_tokens=loaded.max_tokens,
        query_template=TEMPLATE,
        licence=checkpoint.licence,
        precision="fp32",
        files={},
        logit_scale=float(clap.logit_scale_a.detach().exp()),
        origin=checkpoint.origin,
    )
    audio = onnx_export.AudioTower(clap, front_end.frame_count(bundle.window_samples))
    text = onnx_export.TextTower(clap)

    def trunk(name: str) -> str:
        first = name.partition(".")[0]
        kinds = {"audio_model": "audio", "text_model": "text"}
        kinds |= dict.fromkeys(("audio_projection", "text_projection"), "projection")
        return kinds.get(first, "")

    def write(trainee: Trainee, directory: Path) -> dict[str, Any]:
        onnx_export.write_audio(loaded, directory / AUDIO)
        onnx_export.write_text(loaded, directory / TEXT)
        shutil.copyfile(trainee.parts.tokenizer, directory / TOKENIZER)
        # The same in transformers' form, which other programs read and the next run starts from.
        kept = directory.parent / "checkpoint"
        with torch.no_grad():
            clap.logit_scale_a.copy_(trainee.scale)
            clap.logit_scale_t.copy_(trainee.scale)
        onnx_export.write_whole(loaded, kept)
        return {"precision": "fp32", "origin": str(kept.absolute())}

    pad = loaded.tokenizer.pad_token_id or 0
    parts = Parts(clap, audio, text, trunk, bundle, folder / TOKENIZER, pad, write)
    return Trainee(parts, scratch=scratch)


def facts_of(bundle: Bundle) -> dict[str, Any]:
    """What a trained model has in common with the one it began as, for its `model.json`."""
    return {
        "dimension": bundle.dimension,
        "front_end": asdict(bundle.front_end),
        "window_seconds": bundle.window_seconds,
        "hop_seconds": bundle.hop_seconds,
        "max_tokens": bundle.max_tokens,
        "query_template": bundle.query_template,
        "licence": bundle.licence,
    }
