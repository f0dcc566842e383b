"""A directory or repository that holds a CLAP in ONNX, in the layout of `Xenova/clap-htsat-unfused`.

`config.json` and `preprocessor_config.json` as transformers writes them, `tokenizer.json`, and the
towers as `onnx/text_model.onnx` (token ids, with a mask or without, to ``text_embeds``) and
`onnx/audio_model.onnx` (log-mel pictures to ``audio_embeds``), of any length: they are brought to
unit length here. Towers in lower precision lie beside them (`_fp16`, `_quantized`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosearch.errors import ModelBroken
from audiosearch.models.bundle import AUDIO, TEXT, TOKENIZER, Bundle, FrontEnd, file_entry
from audiosearch.models.model import UNLIKE_TEXTS, Model, unlike_sounds

CONFIG = "config.json"
EXTRACTOR = "preprocessor_config.json"
TOWERS = {AUDIO: "onnx/audio_model", TEXT: "onnx/text_model"}
SUFFIXES = {"fp32": "", "fp16": "_fp16", "int8": "_quantized"}
# LAION trained CLAP on texts of 77 tokens.
_TOKENS = 77
# Texts beside others may differ by this from texts alone, in fp32.
_BATCH_TOLERANCE = 1e-5
# What `ClapFeatureExtractor` and `ClapConfig` take where a file leaves it out.
_EXTRACTOR_DEFAULTS = {
    "feature_size": 64,
    "sampling_rate": 48_000,
    "hop_length": 480,
    "max_length_s": 10,
    "fft_window_size": 1024,
    "padding_value": 0.0,
    "frequency_min": 0,
    "frequency_max": 14_000,
    "top_db": None,
    "truncation": "fusion",
    "padding": "repeatpad",
}


@dataclass(frozen=True)
class Description:
    """What the configuration says of a model."""

    dimension: int
    max_tokens: int
    window_seconds: float
    front_end: FrontEnd


def tower_path(tower: str, precision: str = "fp32") -> str:
    """Where a tower lies: ``audio.onnx`` in fp16 at ``onnx/audio_model_fp16.onnx``."""
    return f"{TOWERS[tower]}{SUFFIXES[precision]}.onnx"


def is_layout(paths: Collection[str]) -> bool:
    """Whether files of these paths, with ``/``, are a model in the layout."""
    needed = {CONFIG, EXTRACTOR, TOKENIZER, *(tower_path(tower) for tower in TOWERS)}
    return needed <= set(paths)


def describe(directory: Path, source: str) -> Description:
    """Read the two configurations. Raises `ModelBroken` for a model that cannot be fed as is."""
    config = _object(directory / CONFIG, source)
    stored = _object(directory / EXTRACTOR, source)
    extractor = _EXTRACTOR_DEFAULTS | {k: v for k, v in stored.items() if k in _EXTRACTOR_DEFAULTS}
    if config.get("model_type") != "clap":
        raise ModelBroken(f"{source} is not a CLAP: {CONFIG} says {config.get('model_type')!r}")
    audio, text = (_part(config, part) for part in ("audio_config", "text_config"))
    if audio.get("enable_fusion", False) or extractor["truncation"] == "fusion":
        raise ModelBroken(
            f"{source} is a fused model, and its ONNX files hold one path through it: compile its "
            "checkpoint instead (pip install 'audiosearch[clap]', and add the id of that)"
        )
    try:
        front_end = FrontEnd(
            sampling_rate=_whole(extractor, "sampling_rate"),
            fft_window_size=_whole(extractor, "fft_window_size"),
            hop_length=_whole(extractor, "hop_length"),
            feature_size=_whole(extractor, "feature_size"),
            frequency_min=float(extractor["frequency_min"]),
            frequency_max=float(extractor["frequency_max"]),
            padding=str(extractor["padding"]),
        )
        description = Description(
            dimension=_whole({"projection_dim": 512} | config, "projection_dim"),
            max_tokens=_max_tokens(text),
            window_seconds=float(extractor["max_length_s"]),
            front_end=front_end,
        )
        _check_front_end(description, {**extractor, **stored}, audio)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ModelBroken(f"{source} cannot be fed: {error}") from error
    return description


def _object(path: Path, source: str) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelBroken(f"{source}: {path.name} cannot be read: {error}"[:300]) from error
    if not isinstance(stored, dict):
        raise ModelBroken(f"{source}: {path.name} holds no JSON object")
    return stored


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = config.get(name) or {}
    return part if isinstance(part, dict) else {}


def _whole(stored: Mapping[str, Any], key: str) -> int:
    value = stored[key]
    if type(value) is not int:
        raise ValueError(f"{key} must be a whole number, not {value!r}")
    return value


def _max_tokens(text: Mapping[str, Any]) -> int:
    """As many as there are positions after that of the padding, and as LAION trained with."""
    values = {"max_position_embeddings": 514, "pad_token_id": 1, **text}
    return min(
        _TOKENS, _whole(values, "max_position_embeddings") - _whole(values, "pad_token_id") - 1
    )


def _check_front_end(
    description: Description, extractor: Mapping[str, Any], audio: Mapping[str, Any]
) -> None:
    """Raises `ValueError` for pictures that the front end here does not make, or the tower not read."""
    front_end, seconds = description.front_end, description.window_seconds
    if not 0.1 <= seconds <= 120:
        raise ValueError(f"max_length_s must be 0.1 to 120, not {seconds:g}")
    samples = round(seconds * front_end.sampling_rate)
    mels = _whole({"num_mel_bins": 64} | dict(audio), "num_mel_bins")
    size = _whole({"spec_size": 256} | dict(audio), "spec_size")
    most = size * (size // mels)
    frames = front_end.frame_count(samples)
    kind = extractor.get("feature_extractor_type", "ClapFeatureExtractor")
    rules = {
        f"its pictures are made by {kind}": kind == "ClapFeatureExtractor",
        f"truncation {extractor['truncation']!r} is not known": extractor["truncation"]
        == "rand_trunc",
        "top_db is not null": extractor["top_db"] is None,
        "padding_value is not 0": extractor["padding_value"] == 0,
        "nb_max_samples is not max_length_s": extractor.get("nb_max_samples", samples) == samples,
        f"{front_end.feature_size} mel bands are made, {mels} are read": front_end.feature_size
        == mels,
        f"{frames} frames are made, {most} at most are read": frames <= most,
    }
    for reason, holds in rules.items():
        if not holds:
            raise ValueError(reason)


def unfinished_bundle(
    directory: Path, name: str, description: Description, files: Sequence[str]
) -> Bundle:
    """A bundle of those files alone, to try its towers before it is one."""
    return Bundle(
        directory=directory,
        name=name,
        revision="",
        dimension=description.dimension,
        front_end=description.front_end,
        window_seconds=description.window_seconds,
        hop_seconds=description.window_seconds / 2,
        max_tokens=description.max_tokens,
        query_template="{}",
        licence="",
        precision="",
        files={file: file_entry(directory / file) for file in files},
    )


def check_texts(model: Model) -> bool:
    """Whether the text tower gives a text the same vector beside longer ones as alone.

    Raises `ModelBroken` where it does not work, or gives unlike texts one vector.
    """
    texts = [*UNLIKE_TEXTS, ", ".join(UNLIKE_TEXTS * 3)]
    alone = model.embed_text(texts)
    if alone.tobytes() != model.embed_text(texts).tobytes():
        raise ModelBroken(
            f"the model {model.bundle.name} cannot be used: its text tower gives one text two vectors"
        )
    beside = model.embed_text_together(texts)
    return bool(np.abs(beside - alone).max() <= _BATCH_TOLERANCE)


def check_sounds(model: Model) -> None:
    """Raises `ModelBroken` where the audio tower does not take the model's windows, gives unlike sounds
    one vector, or a sound another vector after a second one.
    """
    model.check()
    sounds = unlike_sounds(model.bundle)
    before, again = model.embed_audio(sounds), model.embed_audio(sounds[::-1])[::-1]
    if before.tobytes() != again.tobytes():
        raise ModelBroken(
            f"the model {model.bundle.name} cannot be used: its audio tower gives one sound two vectors"
        )
