"""The towers of Microsoft's CLAP, from its own files (`CLAP_weights_2022.pth`, `_2023.pth`).

2022 is a Cnn14 (PANNs, arXiv 1912.10211) and BERT; 2023 an HTS-AT (arXiv 2202.00874), which is the
audio tower of transformers' ClapModel under other names, and GPT-2. Both have a projection to 1,024
values. Names are those of the file's state dict. Pictures are (n, 1, frames, 64) decibels; both
towers give unit vectors (n, 1024). The module imports torch and transformers, so only
`models.msclap` imports it, when it compiles, and what trains.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertModel,
    ClapAudioConfig,
    ClapAudioModel,
    GPT2Config,
    GPT2Model,
)

from audiosearch.errors import ModelBroken
from audiosearch.models import bundle, onnx_export
from audiosearch.models.bundle import FrontEnd
from audiosearch.models.frontend import log_mel
from audiosearch.models.msclap_file import AUDIO, TEXT, UNUSED, renamed, version_of


class Projection(nn.Module):  # type: ignore[misc]
    """(n, values) -> (n, d): two layers with a bypass, and a norm."""

    def __init__(self, entering: int, leaving: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(entering, leaving, bias=False)
        self.linear2 = nn.Linear(leaving, leaving, bias=False)
        self.layer_norm = nn.LayerNorm(leaving)

    def forward(self, x: Any) -> Any:
        first = self.linear1(x)
        return self.layer_norm(first + self.linear2(functional.gelu(first)))


class _Block(nn.Module):  # type: ignore[misc]
    def __init__(self, entering: int, leaving: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(entering, leaving, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(leaving)
        self.conv2 = nn.Conv2d(leaving, leaving, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(leaving)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


class Cnn14(nn.Module):  # type: ignore[misc]
    """Pictures -> (n, 2048): six blocks, the first five halved on both axes."""

    def __init__(self, bands: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(bands)
        for number, (entering, leaving) in enumerate(
            zip((1, *widths), widths, strict=False), start=1
        ):
            setattr(self, f"conv_block{number}", _Block(entering, leaving))
        self.fc1 = nn.Linear(widths[-1], widths[-1])

    def forward(self, x: Any) -> Any:
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)
        for number in range(1, 7):
            x = getattr(self, f"conv_block{number}")(x)
            if number < 6:
                x = functional.avg_pool2d(x, 2)
        over_bands = x.mean(3)
        return torch.relu(self.fc1(over_bands.amax(2) + over_bands.mean(2)))


class Sounds(nn.Module):  # type: ignore[misc]
    """The audio tower of a version."""

    def __init__(self, base: Any, projection: Any) -> None:
        super().__init__()
        self.base, self.projection = base, projection

    def forward(self, input_features: Any) -> Any:
        made = self.base(input_features)
        pooled = made if isinstance(made, torch.Tensor) else made.pooler_output
        return functional.normalize(self.projection(pooled), dim=-1)


class Words(nn.Module):  # type: ignore[misc]
    """The text tower of a version: BERT's first token, or GPT-2's last."""

    def __init__(self, base: Any, projection: Any) -> None:
        super().__init__()
        self.base, self.projection = base, projection
        self.last = isinstance(base, GPT2Model)

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        once = {"use_cache": False} if self.last else {}  # nothing is written on
        states = self.base(input_ids=input_ids, attention_mask=attention_mask, **once)[0]
        if not self.last:
            return functional.normalize(self.projection(states[:, 0]), dim=-1)
        # The original pads with "!", token 0, and counts every other token to find the last: so a
        # "!" inside a text moves the place, here as there.
        place = ((input_ids * attention_mask) != 0).sum(1) - 1
        chosen = states.gather(1, place[:, None, None].expand(-1, 1, states.shape[2]))[:, 0]
        return functional.normalize(self.projection(chosen), dim=-1)


def shaped(state: dict[str, Any], path: Path) -> tuple[Sounds, Words]:
    """Return both towers in the sizes of a state dict, with weights drawn anew.

    Raises `ModelBroken` where a layer is missing that says how large they are, or where sizes do
    not fit each other.
    """
    version = version_of(state, path)
    try:
        audio = _cnn14(state) if version == "2022" else _htsat(state)
        text = _bert(state) if version == "2022" else _gpt2(state)
        width = audio.fc1.out_features if version == "2022" else audio.config.hidden_size
        heads = [_projection(state, part) for part in (AUDIO, TEXT)]
    except (KeyError, IndexError, ValueError) as error:
        raise ModelBroken(f"{path} is not the MS-CLAP of {version}: it lacks {error}") from error
    for part, head, entering in zip(
        (AUDIO, TEXT), heads, (width, text.config.hidden_size), strict=True
    ):
        sizes = (head.linear1.in_features, head.linear1.out_features)
        if sizes != (entering, heads[0].linear1.out_features):
            raise ModelBroken(
                f"{path} is not the MS-CLAP of {version}: {part}projection makes {sizes[1]} values of "
                f"{sizes[0]}, where {heads[0].linear1.out_features} of {entering} are needed"
            )
    return Sounds(audio, heads[0]).eval(), Words(text, heads[1]).eval()


def build(state: dict[str, Any], path: Path) -> tuple[Sounds, Words]:
    """Return both towers with the weights of a state dict, whose sizes say how large they are.

    Raises `ModelBroken`, which names the first and the last layer that do not fit.
    """
    version = version_of(state, path)
    sounds, words = shaped(state, path)
    own = {n: v for n, v in state.items() if not UNUSED.search(n)}
    given = {n.removeprefix(AUDIO): v for n, v in own.items() if n.startswith(AUDIO)}
    given = dict(renamed(given)) if version == "2023" else given
    _fill(sounds, given, path, version)
    _fill(
        words,
        {n.removeprefix(TEXT): v for n, v in own.items() if n.startswith(TEXT)},
        path,
        version,
    )
    return sounds, words


def _fill(tower: nn.Module, given: dict[str, Any], path: Path, version: str) -> None:
    own = {n: v for n, v in tower.state_dict().items() if not UNUSED.search(n)}
    wrong = [
        name
        for name in [*own, *(name for name in given if name not in own)]
        if name not in own or name not in given or own[name].shape != given[name].shape
    ]
    if wrong:
        raise ModelBroken(
            f"{path} is not the MS-CLAP of {version} that is known: {len(wrong)} of {len(own)} "
            f"layers do not fit, from {wrong[0]} to {wrong[-1]}"
        )
    tower.load_state_dict(given, strict=False)


def _projection(state: dict[str, Any], part: str) -> Projection:
    leaving, entering = state[f"{part}projection.linear1.weight"].shape
    return Projection(entering, leaving)


def _cnn14(state: dict[str, Any]) -> Cnn14:
    widths = [len(state[f"{AUDIO}base.conv_block{n}.conv1.weight"]) for n in range(1, 7)]
    return Cnn14(len(state[f"{AUDIO}base.bn0.weight"]), tuple(widths))


def _htsat(state: dict[str, Any]) -> Any:
    stem = f"{AUDIO}base.htsat."
    depths: list[int] = []
    heads: list[int] = []
    while f"{stem}layers.{len(depths)}.blocks.0.norm1.weight" in state:
        layer = f"{stem}layers.{len(depths)}.blocks."
        depths.append(len({n.split(".")[6] for n in state if n.startswith(layer)}))
        heads.append(state[f"{layer}0.attn.relative_position_bias_table"].shape[1])
    first = state[f"{stem}patch_embed.proj.weight"]
    table = len(state[f"{stem}layers.0.blocks.0.attn.relative_position_bias_table"])
    bands = len(state[f"{stem}bn0.weight"])
    config = ClapAudioConfig(
        num_mel_bins=bands,
        spec_size=4 * bands,
        patch_embeds_hidden_size=len(first),
        patch_size=first.shape[2],
        patch_stride=[first.shape[2]] * 2,
        hidden_size=len(state[f"{stem}norm.weight"]),
        depths=depths,
        num_attention_heads=heads,
        window_size=(round(table**0.5) + 1) // 2,
        attn_implementation="eager",
    )
    return ClapAudioModel(config)


def _bert(state: dict[str, Any]) -> Any:
    stem = f"{TEXT}base."
    vocabulary, size = state[f"{stem}embeddings.word_embeddings.weight"].shape
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=size,
        num_hidden_layers=len(
            {n.split(".")[4] for n in state if n.startswith(f"{stem}encoder.layer.")}
        ),
        num_attention_heads=size // 64,
        intermediate_size=len(state[f"{stem}encoder.layer.0.intermediate.dense.bias"]),
        max_position_embeddings=len(state[f"{stem}embeddings.position_embeddings.weight"]),
        attn_implementation="eager",
    )
    return BertModel(config, add_pooling_layer=False)


def _gpt2(state: dict[str, Any]) -> Any:
    stem = f"{TEXT}base."
    vocabulary, size = state[f"{stem}wte.weight"].shape
    config = GPT2Config(
        vocab_size=vocabulary,
        n_embd=size,
        n_layer=len({n.split(".")[3] for n in state if n.startswith(f"{stem}h.")}),
        n_head=size // 64,
        n_inner=state[f"{stem}h.0.mlp.c_fc.weight"].shape[1],
        n_positions=len(state[f"{stem}wpe.weight"]),
        bos_token_id=vocabulary - 1,
        eos_token_id=vocabulary - 1,
        attn_implementation="eager",
    )
    return GPT2Model(config)


def export_towers(sounds: nn.Module, words: nn.Module, frames: int, folder: Path) -> None:
    """Write `audio.onnx`, for pictures of so many frames, and `text.onnx`."""
    picture = torch.full((1, 1, frames, 64), -40.0)
    onnx_export.export(sounds, {"input_features": picture}, {0: "batch"}, folder / bundle.AUDIO)
    ids = torch.tensor([[1, 2, 3]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    onnx_export.export(words, inputs, {0: "batch", 1: "tokens"}, folder / bundle.TEXT)


class Reference:
    """The towers on PyTorch: what a bundle must agree with."""

    def __init__(self, sounds: Sounds, words: Words, front_end: FrontEnd, tokenizer: Any) -> None:
        self._sounds, self._words = sounds, words
        self._front_end, self._tokenizer = front_end, tokenizer

    def embed_audio(self, windows: np.ndarray) -> np.ndarray:
        """Return the unit vectors (n, d) of windows (n, samples), both float32."""
        pictures = torch.from_numpy(log_mel(windows, self._front_end))[:, None]
        with torch.no_grad():
            vectors: np.ndarray = self._sounds(pictures).numpy()
        return vectors

    def embed_text(self, text: str) -> np.ndarray:
        """Return the unit vector (d,) of a text."""
        ids = torch.tensor([self._tokenizer.encode(text).ids])
        with torch.no_grad():
            vector: np.ndarray = self._words(ids, torch.ones_like(ids))[0].numpy()
        return vector
