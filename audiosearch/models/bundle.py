"""Model bundles: a directory with `model.json`, `audio.onnx`, `text.onnx` and `tokenizer.json`.

`model.json` holds all that the rest of the program must know of a model: front end, window, sizes,
licence, template, and the length and hash of each file. Each query reads it, so reading is cheap:
it hashes no file and loads no graph.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from audiosearch.errors import ModelBroken

MANIFEST = "model.json"
AUDIO = "audio.onnx"
TEXT = "text.onnx"
TOKENIZER = "tokenizer.json"
# A bundle for a GPU holds the audio tower as transformers saves it, in these files.
CHECKPOINT = ("config.json", "model.safetensors")
FORMAT = 1

_HASH_BLOCK = 1 << 20


@dataclass(frozen=True)
class FrontEnd:
    """The parameters of the front end, which turns samples into the log-mel picture for the audio
    tower.

    They are a superset of those of `transformers.ClapFeatureExtractor`. Rates and frequencies are
    in Hz, sizes in samples. The window is a periodic Hann; decibels are ``10 log10(max(power,
    floor))``, then ``(decibels + offset) * scale``. With `frames` ``all`` a picture has ``1 +
    samples // hop_length`` frames; ``whole`` leaves out the last. `padding` says how a sound
    shorter than the model's window fills it: ``repeatpad`` repeats it as often as it fits and adds
    zeros, ``repeat`` repeats it to the brim, ``pad`` adds zeros. `filter_rate` is the rate that the
    mel filters were made for, where a model was trained with those of another.
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
    filter_rate: int | None = None

    @property
    def bin_hz(self) -> float:
        """The distance in Hz of two bins of the spectrum, as the mel filters see it."""
        return (self.filter_rate or self.sampling_rate) / self.fft_window_size

    @property
    def digest(self) -> str:
        """The hash of all that the vectors depend on."""
        values = asdict(self)
        if self.filter_rate is None:  # it came later: models without it are who they were
            del values["filter_rate"]
        return _digest(values)

    def frame_count(self, samples: int) -> int:
        """Return the number of frames of a window of `samples` samples."""
        return samples // self.hop_length + (self.frames == "all")


@dataclass(frozen=True)
class ModelIdentity:
    """The identity of a model: vectors with one identity can be compared. A library stores it
    beside them.

    `weights` and `front_end` are hashes.
    """

    name: str
    revision: str
    weights: str
    front_end: str
    window_seconds: float
    hop_seconds: float
    precision: str

    @cached_property  # each search compares it
    def digest(self) -> str:
        """BLAKE2b (16 bytes, hex) of all but the name: a model is the same by any name."""
        return _digest({key: value for key, value in self.to_json().items() if key != "name"})

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ModelIdentity:
        """Return the identity of a JSON object: the inverse of `to_json`."""
        return cls(**{field.name: stored[field.name] for field in fields(cls)})

    def __str__(self) -> str:
        return f"{self.name} ({self.revision[:12]}, {self.precision})"  # enough of a commit


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle: its length in bytes, its 16-byte BLAKE2b in hex, and its CRC-32.

    The hash identifies the file. The checksum is five times as fast, and every opening compares it:
    weights with a flipped bit would give wrong answers and no error.
    """

    bytes: int
    blake2b: str
    crc32: int


@dataclass(frozen=True)
class Earlier:
    """`revision` and `weights` of an earlier identity, and the BLAKE2b of its audio tower."""

    revision: str
    weights: str
    audio: str


@dataclass(frozen=True)
class Bundle:
    """A bundle as its `model.json` describes it.

    `weights` identifies the weights where the files cannot: two exports of one checkpoint differ in
    bytes, not in vectors. `logit_scale` turns cosines into logits for a softmax. `origin` is the
    source of the weights. Where `bf16_from` is not `None`, the indexer runs the audio tower on
    torch (see `models.torch_tower`), in bfloat16 from this stage on. With `texts_alone` a text's
    vector depends on the texts beside it (no mask, or int8 whose scales span the batch), so texts
    go through the tower one by one. `vectors_of` names an earlier bundle with the same audio tower,
    of which only the text tower was taught again: the vectors of sounds are the same, so a library
    keeps that identity.
    """

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
    weights: str | None = None
    logit_scale: float = 20.0
    origin: str = ""
    bf16_from: int | None = None
    texts_alone: bool = False
    vectors_of: Earlier | None = None

    @property
    def window_samples(self) -> int:
        """Length of a window in samples at the front end's rate."""
        return round(self.window_seconds * self.front_end.sampling_rate)

    @property
    def hop_samples(self) -> int:
        """Distance between the starts of two windows in samples."""
        return round(self.hop_seconds * self.front_end.sampling_rate)

    @property
    def identity(self) -> ModelIdentity:
        """The identity that a library stores."""
        hashes = {name: self.files[name].blake2b for name in sorted(self.files)}
        revision, weights = self.revision, self.weights or _digest(hashes)
        if self.vectors_of and self.vectors_of.audio == hashes["audio.onnx"]:
            revision, weights = self.vectors_of.revision, self.vectors_of.weights
        return ModelIdentity(
            self.name,
            revision,
            weights,
            self.front_end.digest,
            self.window_seconds,
            self.hop_seconds,
            self.precision,
        )


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def read_bundle(directory: Path) -> Bundle:
    """Read and check `model.json` and the length of each file. Raises `ModelBroken`."""
    where = directory / MANIFEST
    try:
        stored = json.loads(where.read_text(encoding="utf-8"))
        bundle = _parse(directory, stored)
    except FileNotFoundError as error:
        raise ModelBroken(f"{directory} is not a model bundle: it has no {MANIFEST}") from error
    except OSError as error:
        raise ModelBroken(f"the model cannot be read: {where}: {error.strerror}") from error
    except KeyError as error:
        raise ModelBroken(f"the model is broken: {where}: {error} is missing") from error
    # The file may hold anything: no JSON, deep nesting, other types, absurd numbers.
    except (ValueError, RecursionError, TypeError, AttributeError, ArithmeticError) as error:
        raise ModelBroken(f"the model is broken: {where}: {error}") from error
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


def _parse(directory: Path, stored: Any) -> Bundle:
    if not isinstance(stored, dict):
        raise ValueError("it holds no JSON object")
    if stored["format"] != FORMAT:
        raise ValueError(f"its format is {stored['format']!r}, this audiosearch reads {FORMAT}")
    bundle = Bundle(
        directory=directory,
        name=_text(stored, "name"),
        revision=_text(stored, "revision"),
        dimension=_whole(stored, "dimension"),
        front_end=_front_end(stored["front_end"]),
        window_seconds=float(stored["window_seconds"]),
        hop_seconds=float(stored["hop_seconds"]),
        max_tokens=_whole(stored, "max_tokens"),
        query_template=_text(stored, "query_template"),
        licence=_text(stored, "licence"),
        precision=_text(stored, "precision"),
        files={
            name: FileEntry(_whole(entry, "bytes"), _text(entry, "blake2b"), _whole(entry, "crc32"))
            for name, entry in stored["files"].items()
        },
        weights=_text(stored, "weights") if "weights" in stored else None,
        logit_scale=float(stored.get("logit_scale", 20.0)),
        origin=_text(stored, "origin") if "origin" in stored else "",
        bf16_from=_whole(stored, "bf16_from") if "bf16_from" in stored else None,
        texts_alone=stored.get("texts_alone", False) is True,
        vectors_of=_earlier(stored["vectors_of"]) if "vectors_of" in stored else None,
    )
    rules = _front_end_rules(bundle.front_end) | _bundle_rules(bundle)
    for rule, holds in rules.items():
        if not holds:
            raise ValueError(rule)
    return bundle


def _earlier(stored: Mapping[str, Any]) -> Earlier:
    return Earlier(*(_text(stored, field.name) for field in fields(Earlier)))


def _front_end(stored: Mapping[str, Any]) -> FrontEnd:
    names = {field.name for field in fields(FrontEnd)}
    values = {name: value for name, value in stored.items() if name in names}
    for name in ("sampling_rate", "fft_window_size", "hop_length", "feature_size"):
        values[name] = _whole(stored, name)
    if values.get("filter_rate") is not None:
        values["filter_rate"] = _whole(stored, "filter_rate")
    for name in ("frequency_min", "frequency_max", "floor", "offset", "scale"):
        if name in values:
            values[name] = float(values[name])  # 50 and 50.0 are one front end, of one hash
    return FrontEnd(**values)


def _whole(stored: Mapping[str, Any], key: str) -> int:
    value = stored[key]
    if type(value) is not int:
        raise ValueError(f"{key} must be a whole number, not {value!r}")
    return value


def _text(stored: Mapping[str, Any], key: str) -> str:
    value = stored[key]
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{key} must be a line of text, not {value!r}")
    return value


def _bundle_rules(bundle: Bundle) -> dict[str, bool]:
    return {
        "name must not be empty": bool(bundle.name),
        "dimension must be 1 to 65536": 1 <= bundle.dimension <= 65_536,
        "max_tokens must be 4 to 65536": 4 <= bundle.max_tokens <= 65_536,
        "window_seconds must be 0.1 to 120": 0.1 <= bundle.window_seconds <= 120,
        "hop_seconds must be above 0 and at most window_seconds": (
            0 < bundle.hop_seconds <= bundle.window_seconds and bundle.hop_samples > 0
        ),
        "the window must be longer than half of fft_window_size": (
            bundle.window_samples > bundle.front_end.fft_window_size // 2
        ),
        "query_template must have a {} for the text": "{}" in bundle.query_template,
        "logit_scale must be above 0 and finite": 0 < bundle.logit_scale < math.inf,
        f"files must list {AUDIO}, {TEXT} and {TOKENIZER}": (
            {AUDIO, TEXT, TOKENIZER} <= bundle.files.keys()
        ),
        f"files must list {' and '.join(CHECKPOINT)} where bf16_from is given, which must not be "
        "negative": (
            bundle.bf16_from is None
            or (bundle.bf16_from >= 0 and {*CHECKPOINT} <= bundle.files.keys())
        ),
        "the files must lie in the bundle's directory": all(
            Path(name).name == name != ".." for name in bundle.files
        ),
    }


def _front_end_rules(front_end: FrontEnd) -> dict[str, bool]:
    rate, size = front_end.filter_rate or front_end.sampling_rate, front_end.fft_window_size
    low, high = front_end.frequency_min, front_end.frequency_max
    return {
        "sampling_rate must be 4000 to 384000": 4_000 <= front_end.sampling_rate <= 384_000,
        "filter_rate must be null, or 4000 to 384000": 4_000 <= rate <= 384_000,
        "fft_window_size must be even, 16 to 65536": 16 <= size <= 65_536 and size % 2 == 0,
        "hop_length must be 1 to fft_window_size": 1 <= front_end.hop_length <= size,
        "feature_size must be 1 to 1024": 1 <= front_end.feature_size <= 1_024,
        "frequency_min and frequency_max must be two bins apart, within half the rate": (
            low >= 0 and low * size + 2 * rate <= high * size <= rate * size / 2
        ),
        "mel_scale must be slaney or htk": front_end.mel_scale in ("slaney", "htk"),
        "norm must be slaney or null": front_end.norm in ("slaney", None),
        "floor must be above 0, finite in float32": 1e-37 < front_end.floor < 1e37,
        "offset and scale must be finite": math.isfinite(front_end.offset + front_end.scale),
        "center must be true": front_end.center is True,
        "pad_mode must be reflect": front_end.pad_mode == "reflect",
        "frames must be all or whole": front_end.frames in ("all", "whole"),
        "padding must be repeatpad, repeat or pad": (
            front_end.padding in ("repeatpad", "repeat", "pad")
        ),
    }


def file_entry(path: Path) -> FileEntry:
    """Return the length, hash and checksum of a file, for its bundle's `model.json`."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return FileEntry(path.stat().st_size, digest.hexdigest(), _crc32(path))


def _crc32(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            value = zlib.crc32(block, value)
    return value


def whole_file(bundle: Bundle, name: str) -> Path:
    """Return the path of one of the bundle's files, after a check of its checksum.

    Raises `ModelBroken` where the file has changed or cannot be read.
    """
    path = bundle.directory / name
    try:
        if _crc32(path) == bundle.files[name].crc32:
            return path
    except OSError as error:
        raise ModelBroken(f"the model cannot be read: {path}: {error.strerror}") from error
    raise ModelBroken(
        f"the model is broken: {path} is not the file it was made with (install or add it again)"
    )


def verify_files(bundle: Bundle) -> None:
    """Hash every file. Raises `ModelBroken` for a file that does not match `model.json`."""
    for name, entry in bundle.files.items():
        path = bundle.directory / name
        try:
            actual = file_entry(path)
        except OSError as error:
            raise ModelBroken(f"the model cannot be read: {path}: {error.strerror}") from error
        if actual != entry:
            raise ModelBroken(f"the model is broken: {path} is not the file it was made with")
