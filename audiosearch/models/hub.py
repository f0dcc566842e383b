"""Hugging Face checkpoints as directories: those on this computer as they are, those on the hub
downloaded by its own client, over https, with the commit recorded.

Of a hub repository only configuration, tokenizer and weights are fetched, safetensors where there
are any; of a repository that holds no CLAP nothing but its configuration.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiosearch.errors import ModelBroken, ModelNotFound
from audiosearch.models.bundle import MANIFEST, file_entry
from audiosearch.models.hub_http import how_to_enter, hub_address
from audiosearch.models.registry import named_directory

CONFIG = "config.json"
_SMALL_FILES = ["*.json", "merges.txt", "README.md"]
_WEIGHTS = ["*.safetensors", "pytorch_model*.bin"]  # by preference


@dataclass(frozen=True)
class Checkpoint:
    """A directory with a `ClapModel`, and where it comes from.

    `revision` is the hub's commit, of a local directory the beginning of `weights`: the hash of
    configuration and weights.
    """

    directory: Path
    name: str
    origin: str
    revision: str
    weights: str
    licence: str


def find_checkpoint(source: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint of a directory or a hub id, downloaded if need be.

    Raises `ModelNotFound` where there is none or the hub cannot be reached, and `ModelBroken` for
    what is no `ClapModel`.
    """
    local = named_directory(source)
    if local:
        directory, name, origin = local, local.name, str(local)
        check_directory(directory, source)
    else:
        directory, name = _download(source, revision), source
        origin, revision = f"https://huggingface.co/{source}", directory.name
    weights = _hash(directory, source)
    return Checkpoint(
        directory, name, origin, revision or weights[:12], weights, _licence(directory)
    )


def check_directory(directory: Path, source: str) -> None:
    """Raises `ModelNotFound` or `ModelBroken` where a directory is no checkpoint of a `ClapModel`."""
    if (directory / MANIFEST).is_file():
        raise ModelNotFound(f"{source} is a bundle already: use it as it is, as --model {source}")
    _check_config(directory, source)


def is_cached(name: str) -> bool:
    """Whether the hub's own client has downloaded from that repository before."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, CONFIG), str)


def fetch_snapshot(name: str, patterns: list[str], revision: str | None = None) -> Path:
    """The snapshot of a hub repository with the files of some patterns; its last part is the commit.

    Raises `ModelNotFound`.
    """
    from huggingface_hub import snapshot_download

    with _hub_errors(name, revision):
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))


def _download(name: str, revision: str | None) -> Path:
    """The snapshot of a hub repository; its last part is the commit."""
    snapshot = fetch_snapshot(name, _SMALL_FILES, revision)
    _check_config(snapshot, name)
    for pattern in _WEIGHTS:
        if not any(snapshot.glob(pattern)):
            fetch_snapshot(name, [pattern], snapshot.name)
        if any(snapshot.glob(pattern)):
            break
    return snapshot


@contextmanager
def _hub_errors(name: str, revision: str | None) -> Iterator[None]:
    from huggingface_hub import errors

    hub_address()
    # Its HTTP client, whose errors these are, is not the same in all versions.
    failures = (*errors.HfHubHTTPError.__bases__, errors.XetDownloadError, OSError, ValueError)
    try:
        yield
    except errors.HFValidationError as error:
        raise ModelNotFound(
            f"there is no model {name[:100]}: it is neither a directory nor a hub id (owner/name)"
        ) from error
    except errors.GatedRepoError as error:
        raise ModelNotFound(how_to_enter(name)) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"there is no checkpoint {name} on the Hugging Face hub, or it is private"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelNotFound(f"the checkpoint {name} has no revision {revision}") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise ModelNotFound(
            f"the Hugging Face hub cannot be reached, and {name} was not downloaded before: "
            "connect and try again, or bring the checkpoint's directory here and add that"
        ) from error
    except failures as error:
        raise ModelNotFound(f"the download of {name} failed: {_line(error)}") from error


def _check_config(directory: Path, source: str) -> None:
    """Raises where the directory holds no configuration of a `ClapModel`."""
    try:
        config: Any = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"{source} is no checkpoint: it has no {CONFIG} (nor the {MANIFEST} of a bundle)"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelBroken(f"{directory / CONFIG} cannot be read: {_line(error)}") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "clap":
        raise ModelBroken(f"{source} is not a ClapModel: its {CONFIG} says {kind!r}")


def _hash(directory: Path, source: str) -> str:
    """BLAKE2b (16 bytes, hex) of configuration and weights."""
    for pattern in _WEIGHTS:
        if files := sorted(directory.glob(pattern)):
            break
    else:
        raise ModelNotFound(f"{source} has no weights: neither {' nor '.join(_WEIGHTS)}")
    digest = hashlib.blake2b(digest_size=16)
    for path in [directory / CONFIG, *files]:
        digest.update(f"{path.name} {file_entry(path).blake2b}\n".encode())
    return digest.hexdigest()


def _licence(directory: Path) -> str:
    """What the header of the model card names."""
    card = directory / "README.md"
    head = card.read_text(encoding="utf-8", errors="replace")[:10_000] if card.is_file() else ""
    licence = re.match(r"---\n(?:.*\n)*?license: *([\w.+-]+)", head)
    return licence[1] if licence else "unknown"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
