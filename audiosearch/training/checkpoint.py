"""Checkpoints of a run, as safetensors: numbers and names, nothing that runs.

A checkpoint is written beside the old one and put in its place, so that one of them is always
whole. `facts` is a JSON object: where the run stands.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from audiosearch.errors import AudioSearchError
from audiosearch.training.options import TrainingFailed


def save(path: Path, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Write a checkpoint. Raises `AudioSearchError` where the disk is full or cannot be written."""
    from safetensors.torch import save as encoded

    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    data = encoded(kept, {"facts": json.dumps(facts)})
    put(path, lambda file: file.write(data))


def put(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside the old one, and put it in its place when it is on the disk.

    Raises `AudioSearchError` where that fails.
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise AudioSearchError(f"cannot write {path}: {error.strerror}") from error


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a checkpoint. Raises `TrainingFailed` for a file that is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads((file.metadata() or {})["facts"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        line = " ".join(str(error).split())[:120]
        raise TrainingFailed(
            f"{path} is not a checkpoint of a run, or is damaged: {line}"
        ) from error
    return tensors, facts


def part_of(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
