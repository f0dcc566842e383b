"""Model bundles: a directory with `model.json`, `audio.onnx`, `text.onnx` and `tokenizer.json`.

`model.json` says everything that the rest of the program must know of a model: front end, window, sizes, licence,
template, and the length and hash of each file. Reading it is cheap, for each query does it: no file is hashed here and
no graph is loaded.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from audiosearch.errors import ModelBroken

MANIFEST = "model.json"
AUDIO = "audio.onnx"
TEXT = "text.onnx"
TOKENIZER = "tokenizer.json"
FORMAT = 1

_HASH_BLOCK = 1 << 20


@dataclass(frozen=True)
class FrontEnd:
    """From samples to the log-mel picture that the audio tower sees.

    A superset of the parameters of `transformers.ClapFeatureExtractor`: rates and frequencies in Hz, sizes in samples;
    decibels are ``10 log10(max(power, floor))``, then ``(decibels + offset) * scale``. `frames`: ``all`` counts 1 +
    samples // hop frames, ``whole`` leaves out the last. `padding` is how a sound shorter than the window is filled up.
    """

    sampling_rate: int
    fft_window_size: int
    hop_length: int
    feature_size: int
    frequency_min: float
    frequency_max: float
    mel_scale: str = "slaney"
    norm: str | None = "slaney"
    floor: float = 1e-10
    offset: float = 0.0
    scale: float = 1.0
    center: bool = True
    pad_mode: str = "reflect"
    frames: str = "all"
    padding: str = "repeatpad"

    def frame_count(self, samples: int) -> int:
        """Number of frames of a window of that many samples."""
        return samples // self.hop_length + (self.frames == "all")


@dataclass(frozen=True)
class ModelIdentity:
    """What makes vectors comparable: two libraries with equal identities share one space."""

    name: str
    revision: str
    weights: str
    front_end: str
    window_seconds: float
    hop_seconds: float
    precision: str

    @property
    def digest(self) -> str:
        """BLAKE2b (16 bytes, hex) of the canonical JSON."""
        return _digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ModelIdentity:
        """The inverse of `to_json`."""
        return cls(**{field.name: stored[field.name] for field in fields(cls)})

    def __str__(self) -> str:
        return f"{self.name} ({self.revision}, {self.precision})"


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle: its length in bytes, and the hex of its 16-byte BLAKE2b."""

    bytes: int
    blake2b: str


@dataclass(frozen=True)
class Bundle:
    """A bundle as its `model.json` describes it."""

    directory: Path
    name: str
    revision: str
    dimension: int
    front_end: FrontEnd
    window_seconds: float
    hop_seconds: float
    max_tokens: int
    query_template: str
    licence: str
    precision: str
    files: Mapping[str, FileEntry]
    logit_scale: float = 20.0
    pad_id: int = 0

    @property
    def window_samples(self) -> int:
        """Length of a window in samples at the front end's rate."""
        return round(self.window_seconds * self.front_end.sampling_rate)

    @property
    def hop_samples(self) -> int:
        """Distance of the starts of two windows in samples."""
        return round(self.hop_seconds * self.front_end.sampling_rate)

    @property
    def identity(self) -> ModelIdentity:
        """The identity that a library stores."""
        hashes = {name: self.files[name].blake2b for name in sorted(self.files)}
        return ModelIdentity(
            self.name,
            self.revision,
            _digest(hashes),
            _digest(asdict(self.front_end)),
            self.window_seconds,
            self.hop_seconds,
            self.precision,
        )


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def read_bundle(directory: Path) -> Bundle:
    """Read and check `model.json`, and that every file has the length it says. Raises `ModelBroken`."""
    where = directory / MANIFEST
    try:
        stored = json.loads(where.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelBroken(f"{directory} is not a model bundle: it has no {MANIFEST}") from error
    except (OSError, ValueError) as error:
        raise ModelBroken(f"cannot read {where}: {error}") from error
    try:
        bundle = _parse(directory, stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelBroken(f"{where} is broken: {reason}") from error
    for name in (AUDIO, TEXT, TOKENIZER):
        if name not in bundle.files:
            raise ModelBroken(f"{where} is broken: it does not list {name}")
    for name, entry in bundle.files.items():
        _check_length(directory / name, entry.bytes)
    return bundle


def _check_length(path: Path, expected: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelBroken(f"the model is incomplete: {path}: {error.strerror}") from error
    if size != expected:
        raise ModelBroken(f"the model is broken: {path} has {size} bytes instead of {expected}")


def _parse(directory: Path, stored: Mapping[str, Any]) -> Bundle:
    if stored["format"] != FORMAT:
        raise ValueError(f"its format is {stored['format']}, this audiosearch reads {FORMAT}")
    known = {field.name for field in fields(FrontEnd)}
    front_end = FrontEnd(**{k: v for k, v in stored["front_end"].items() if k in known})
    files = {
        name: FileEntry(int(entry["bytes"]), str(entry["blake2b"]))
        for name, entry in stored["files"].items()
    }
    for name in files:
        if Path(name).name != name:
            raise ValueError(f"the file name {name!r} leads out of the bundle")
    bundle = Bundle(
        directory=directory,
        name=str(stored["name"]),
        revision=str(stored["revision"]),
        dimension=int(stored["dimension"]),
        front_end=front_end,
        window_seconds=float(stored["window_seconds"]),
        hop_seconds=float(stored["hop_seconds"]),
        max_tokens=int(stored["max_tokens"]),
        query_template=str(stored["query_template"]),
        licence=str(stored["licence"]),
        precision=str(stored["precision"]),
        files=files,
        logit_scale=float(stored.get("logit_scale", 20.0)),
        pad_id=int(stored.get("pad_id", 0)),
    )
    _check_values(bundle)
    return bundle


def _check_values(bundle: Bundle) -> None:
    front = bundle.front_end
    rules = {
        "dimension must be 1 to 65,536": 1 <= bundle.dimension <= 65_536,
        "max_tokens must be at least 4": bundle.max_tokens >= 4,
        "window_seconds must be 0.1 to 120": 0.1 <= bundle.window_seconds <= 120,
        "hop_seconds must be above 0 and at most the window": (
            0 < bundle.hop_seconds <= bundle.window_seconds
        ),
        "query_template must hold {}": "{}" in bundle.query_template,
        "sampling_rate must be 4,000 to 384,000": 4_000 <= front.sampling_rate <= 384_000,
        "hop_length must be 1 to fft_window_size": 1 <= front.hop_length <= front.fft_window_size,
        "feature_size must be 1 to 1,024": 1 <= front.feature_size <= 1_024,
        "frequencies must rise and stay below half the rate": (
            0 <= front.frequency_min < front.frequency_max <= front.sampling_rate / 2
        ),
        "mel_scale must be slaney or htk": front.mel_scale in ("slaney", "htk"),
        "norm must be slaney or null": front.norm in ("slaney", None),
        "pad_mode must be reflect": front.pad_mode == "reflect" and front.center,
        "frames must be all or whole": front.frames in ("all", "whole"),
        "padding must be repeatpad, repeat or pad": (
            front.padding in ("repeatpad", "repeat", "pad")
        ),
        "scale and offset must be finite": math.isfinite(front.scale + front.offset),
        "floor must be above 0": front.floor > 0,
    }
    for rule, holds in rules.items():
        if not holds:
            raise ValueError(rule)


def file_entry(path: Path) -> FileEntry:
    """Length and hash of a file, for its bundle's `model.json`."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return FileEntry(path.stat().st_size, digest.hexdigest())


def verify_files(bundle: Bundle) -> None:
    """Hash every file of the bundle; raises `ModelBroken` for one that is not what `model.json` says."""
    for name, entry in bundle.files.items():
        if file_entry(bundle.directory / name) != entry:
            raise ModelBroken(f"the model is broken: {bundle.directory / name} has been altered")
