"""The files of Microsoft's CLAP: a state dict under ``model``, read as numbers and never run.

Names are those of the original's modules; transformers has HTS-AT's under others. `msclap_towers`
makes towers of a state dict. The module imports torch.
"""

from __future__ import annotations

import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from audiosearch.errors import ModelBroken

AUDIO, TEXT = "audio_encoder.", "caption_encoder."
# What tells one version from the other, and both from anything else.
FIRST = {
    "2022": f"{AUDIO}base.conv_block1.conv1.weight",
    "2023": f"{AUDIO}base.htsat.patch_embed.proj.weight",
}
# Of the file, but not of the towers: heads for classes, filters of the front end, old constants.
UNUSED = re.compile(
    r"fc_audioset|tscam_conv|htsat\.head|spectrogram_extractor|logmel_extractor|pooler"
    r"|position_ids|\.attn\.(masked_)?bias$|attn_mask$|relative_position_index$|num_batches_tracked$"
)


def read_file(path: Path) -> dict[str, Any]:
    """Return the state dict of a file. It is read as numbers: what would run code is refused.

    Raises `ModelBroken`.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        # torch's own message advises to run what is in the file.
        raise ModelBroken(
            f"{path} cannot be loaded as plain weights: it holds code, which is never run, or is damaged"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        line = " ".join(str(error).split())[:160]
        raise ModelBroken(f"{path} cannot be loaded as plain weights: {line}") from error
    state = stored.get("model") if isinstance(stored, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelBroken(f"{path} is no file of MS-CLAP: it holds no weights under 'model'")
    return state


def version_of(state: dict[str, Any], path: Path) -> str:
    """Return ``2022`` or ``2023``. Raises `ModelBroken` for a file of another kind."""
    for version, name in FIRST.items():
        if name in state:
            return version
    names = list(state) or ["nothing"]
    raise ModelBroken(
        f"{path} is neither an MS-CLAP of 2022 nor of 2023: it begins with {names[0]} and ends with "
        f"{names[-1]}, and has neither {FIRST['2022']} nor {FIRST['2023']}"
    )


def with_weights(state: dict[str, Any], sounds: nn.Module, words: nn.Module) -> dict[str, Any]:
    """Return a copy of a file's state dict with the weights that its towers have now."""
    weights = {AUDIO + name: value for name, value in sounds.state_dict().items()}
    weights |= {TEXT + name: value for name, value in words.state_dict().items()}
    other_names = FIRST["2023"] in state
    made = dict(state)
    for name in state:
        if name.startswith((AUDIO, TEXT)) and not UNUSED.search(name):
            names = _names(name) if other_names and name.startswith(AUDIO) else [name]
            parts = [weights[each].detach() for each in names]
            made[name] = torch.cat(parts).clone() if len(parts) > 1 else parts[0].clone()
    return made


def write_file(path: Path, state: dict[str, Any]) -> None:
    """Write a state dict as the original's files hold it: numbers and their names."""
    torch.save({"model": {name: value.contiguous() for name, value in state.items()}}, path)


_RENAMED = (
    ("base.htsat.", "base.audio_encoder."),
    (".bn0.", ".batch_norm."),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
    (".attn.proj.", ".attention.output.dense."),
    (".attn.", ".attention.self."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
)


def _names(name: str) -> list[str]:
    """A name of HTS-AT's as transformers has it; query, key and value are one matrix in the file."""
    for before, after in _RENAMED:
        name = name.replace(before, after)
    if ".self.qkv." not in name:
        return [name]
    return [name.replace(".qkv.", f".{part}.") for part in ("query", "key", "value")]


def renamed(given: dict[str, Any]) -> list[tuple[str, Any]]:
    """Weights under HTS-AT's names, under those of transformers."""
    made: list[tuple[str, Any]] = []
    for old, value in given.items():
        names = _names(old)
        made += zip(names, value.chunk(len(names)) if len(names) > 1 else [value], strict=True)
    return made
