"""The export of the two towers of a `transformers.ClapModel` as ONNX graphs. The module imports
torch and transformers, so only `models.compile` imports it.

The export traces a graph with eager attention: every operator is then a plain one, and no further
package is needed. With feature fusion, the audio tower takes the path of sounds no longer than its
window, since its input is always one window: `is_longer`, which the extractor decides by chance, is
false here.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoTokenizer,
    ClapAudioModelWithProjection,
    ClapFeatureExtractor,
    ClapModel,
)

from audiosearch.errors import ModelBroken
from audiosearch.models.bundle import FrontEnd

# LAION trained CLAP on texts of 77 tokens.
_TOKENS = 77
# transformers raises these for files that are missing, damaged, malicious or contradictory.
_UNLOADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    UnpicklingError,
    EOFError,
    SafetensorError,
    StrictDataclassError,
)
# This is the first operator set with layer normalisation as one operator; the towers use no later
# one.
_OPSET = 17


class AudioTower(torch.nn.Module):  # type: ignore[misc]
    """Log-mel pictures (n, 1, frames, mels) -> unit vectors (n, d).

    The tower stretches pictures to its own size with an operator that takes ONNX Runtime 5 ms. With
    a fixed number of `frames`, a product with a matrix does it beforehand. The batch norm between
    the two is a straight line for each band, so the order does not matter.
    """

    def __init__(self, clap: Any, frames: int | None = None) -> None:
        super().__init__()
        self.clap = clap
        config = getattr(clap.config, "audio_config", clap.config)
        self.fusion = config.enable_fusion
        target = config.spec_size * (config.spec_size // config.num_mel_bins)
        stretch = None
        if frames is not None and frames < target:
            stretch = _stretch_matrix(frames, target)
        self.register_buffer("stretch", stretch)
        self.eval()

    def forward(self, input_features: Any) -> Any:
        device = input_features.device
        longer = torch.zeros((input_features.shape[0], 1), dtype=torch.bool, device=device)
        if self.stretch is not None:
            input_features = self.stretch @ input_features
        if self.fusion:  # four views: the whole, and three parts that this path does not use
            input_features = input_features.expand(-1, 4, -1, -1)
        pooled = self.clap.audio_model(input_features=input_features, is_longer=longer)
        projected = self.clap.audio_projection(pooled.pooler_output)
        return torch.nn.functional.normalize(projected, dim=-1)


def _stretch_matrix(frames: int, target: int) -> Any:
    """Return a matrix (target, frames): its product with a picture is the picture's bicubic
    stretch.
    """
    each_alone = torch.eye(frames)[None, None]
    return torch.nn.functional.interpolate(
        each_alone, (target, frames), mode="bicubic", align_corners=True
    )[0, 0]


class TextTower(torch.nn.Module):  # type: ignore[misc]
    """Token ids and mask (n, tokens) -> unit vectors (n, d)."""

    def __init__(self, clap: Any) -> None:
        super().__init__()
        self.clap = clap
        self.eval()

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        pooled = self.clap.text_model(input_ids=input_ids, attention_mask=attention_mask)
        projected = self.clap.text_projection(pooled.pooler_output)
        return torch.nn.functional.normalize(projected, dim=-1)


@dataclass(frozen=True)
class Loaded:
    """A loaded checkpoint, which transformers runs."""

    clap: Any
    extractor: Any
    tokenizer: Any
    max_tokens: int

    @property
    def window_samples(self) -> int:
        """The length of the extractor's window in samples."""
        return int(self.extractor.nb_max_samples)

    def embed_audio(self, windows: np.ndarray) -> np.ndarray:
        """Return the vectors (n, d) of windows (n, window_samples), both float32, by extractor and
        model.

        A bundle must give the same.
        """
        pictures = self.extractor(
            list(windows), sampling_rate=self.extractor.sampling_rate, return_tensors="pt"
        )["input_features"]
        with torch.no_grad():
            vectors: np.ndarray = AudioTower(self.clap)(pictures[:, :1]).numpy()
        return vectors

    def embed_text(self, text: str) -> np.ndarray:
        """Return the vector (d,) of a text, by tokenizer and model. A bundle must give the same."""
        tokens = self.tokenizer(
            text, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        with torch.no_grad():
            vector = TextTower(self.clap)(tokens["input_ids"], tokens["attention_mask"])
        vectors: np.ndarray = vector[0].numpy()
        return vectors


def load(directory: Path) -> Loaded:
    """Load a checkpoint's directory, from safetensors or plain tensors. This runs no code of it.

    Raises `ModelBroken` where the checkpoint is incomplete or cannot be read.
    """
    try:
        with _quiet():
            clap, report = ClapModel.from_pretrained(
                directory,
                dtype=torch.float32,
                attn_implementation="eager",
                weights_only=True,
                local_files_only=True,
                output_loading_info=True,
            )
            extractor = ClapFeatureExtractor.from_pretrained(directory, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(
                directory, local_files_only=True, trust_remote_code=False
            )
    except _UNLOADABLE as error:
        raise ModelBroken(f"the checkpoint {directory} cannot be loaded: {_line(error)}") from error
    # transformers fills missing parts with random weights and an empty vocabulary.
    if not any((directory / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise ModelBroken(f"the checkpoint {directory} cannot be used: its tokenizer is missing")
    missing = sorted(set(report["missing_keys"]) & {name for name, _ in clap.named_parameters()})
    if missing:
        raise ModelBroken(f"the checkpoint {directory} has no weights for {missing[0]}")
    text = clap.config.text_config
    positions = text.max_position_embeddings - (text.pad_token_id or 0) - 1
    loaded = Loaded(clap.eval(), extractor, tokenizer, min(_TOKENS, positions))
    _check(loaded, directory)
    return loaded


def _check(loaded: Loaded, directory: Path) -> None:
    """Raise `ModelBroken` where the parts of a checkpoint do not fit together."""
    audio, extractor = loaded.clap.config.audio_config, loaded.extractor
    most = audio.spec_size * (audio.spec_size // audio.num_mel_bins)
    frames = front_end(extractor).frame_count(loaded.window_samples)
    reason = ""
    if extractor.feature_size != audio.num_mel_bins:
        reason = f"{extractor.feature_size} mel bands are made, {audio.num_mel_bins} are read"
    elif frames > most:
        reason = f"{frames} frames are made, {most} at most are read"
    elif not getattr(loaded.tokenizer, "is_fast", False):
        reason = "its tokenizer has no tokenizer.json"
    elif len(loaded.tokenizer) > loaded.clap.config.text_config.vocab_size:
        reason = "its tokenizer has more tokens than its text tower"
    if reason:
        raise ModelBroken(f"the checkpoint {directory} is at odds with itself: {reason}")


def front_end(extractor: Any) -> FrontEnd:
    """Return the extractor's parameters. The extractor uses the htk scale for fusion, else the
    slaney scale.
    """
    fusion = extractor.truncation == "fusion"
    return FrontEnd(
        sampling_rate=int(extractor.sampling_rate),
        fft_window_size=int(extractor.fft_window_size),
        hop_length=int(extractor.hop_length),
        feature_size=int(extractor.feature_size),
        frequency_min=float(extractor.frequency_min),
        frequency_max=float(extractor.frequency_max),
        mel_scale="htk" if fusion else "slaney",
        norm=None if fusion else "slaney",
        padding=str(extractor.padding),
    )


def count_stages(loaded: Loaded) -> int:
    """Return the number of stages of the audio tower."""
    return len(loaded.clap.config.audio_config.depths)


def load_audio(directory: Path) -> Any:
    """Return the audio tower alone, as `write_checkpoint` saved it. Raises `ModelBroken`."""
    try:
        with _quiet():
            clap = ClapAudioModelWithProjection.from_pretrained(
                directory,
                dtype=torch.float32,
                attn_implementation="eager",
                weights_only=True,
                local_files_only=True,
            )
    except _UNLOADABLE as error:
        raise ModelBroken(f"the model is broken: {directory}: {_line(error)}") from error
    return clap.eval()


def write_checkpoint(loaded: Loaded, directory: Path) -> None:
    """Save the audio tower alone, as transformers does: its configuration and safetensors."""
    alone = ClapAudioModelWithProjection(loaded.clap.config.audio_config)
    alone.audio_model = loaded.clap.audio_model
    alone.audio_projection = loaded.clap.audio_projection
    with _quiet():
        alone.save_pretrained(directory)


def write_whole(loaded: Loaded, directory: Path) -> None:
    """Save the whole checkpoint, as transformers does: model, extractor and tokenizer."""
    with _quiet():
        loaded.clap.save_pretrained(directory)
        loaded.extractor.save_pretrained(directory)
        loaded.tokenizer.save_pretrained(directory)


def write_audio(loaded: Loaded, path: Path) -> None:
    """Export the audio tower, for pictures of the extractor's size alone."""
    made = front_end(loaded.extractor)
    picture = torch.zeros((1, 1, made.frame_count(loaded.window_samples), made.feature_size))
    tower = AudioTower(loaded.clap, picture.shape[2])
    export(tower, {"input_features": picture}, {0: "batch"}, path)


def write_text(loaded: Loaded, path: Path) -> None:
    """Export the text tower, for texts of any number of tokens."""
    ids = torch.tensor([loaded.tokenizer("the sound of rain")["input_ids"]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    export(TextTower(loaded.clap), inputs, {0: "batch", 1: "tokens"}, path)


def write_tokenizer(loaded: Loaded, path: Path) -> None:
    """Save the tokenizer in the form that `tokenizers` reads."""
    loaded.tokenizer.backend_tokenizer.save(str(path))


def export(tower: Any, inputs: dict[str, Any], axes: dict[int, str], path: Path) -> None:
    """Write the graph of a tower, traced with `inputs` and free along `axes`. Raises `ModelBroken`."""
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                tower,
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=["embedding"],
                dynamic_axes={**dict.fromkeys(inputs, axes), "embedding": {0: "batch"}},
                opset_version=_OPSET,
                dynamo=False,
            )
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelBroken(f"{path.name} cannot be exported: {_line(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the tracer's warnings and transformers' progress bars."""
    talk = transformers.utils.logging
    level, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity(logging.CRITICAL)
    talk.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        talk.set_verbosity(level)
        if bars:
            talk.enable_progress_bar()


def _line(error: Exception) -> str:
    if "Weights only load failed" in str(error):  # torch goes on to advise running what is in it
        return "it holds code, which is never run, or is damaged"
    return " ".join(str(error).split())[:200] or type(error).__name__
