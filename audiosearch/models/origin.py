"""Where a model's files come from: a directory or a hub's repository that holds it in ONNX, or neither,
and then it is to be compiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from audiosearch.errors import ModelNotFound
from audiosearch.models import layout
from audiosearch.models.bundle import AUDIO, TOKENIZER, file_entry
from audiosearch.models.fetch import Repository, list_repository
from audiosearch.models.hub_http import HubUnreachable
from audiosearch.models.known import KNOWN
from audiosearch.models.registry import named_directory

SMALL = (layout.CONFIG, layout.EXTRACTOR, TOKENIZER)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Origin:
    """Where the files of a model in ONNX come from: a repository or a directory."""

    name: str
    address: str
    revision: str
    licence: str
    place: Repository | Path

    @property
    def paths(self) -> Mapping[str, int]:
        """Length of each file."""
        if isinstance(self.place, Path):
            return _lengths(self.place)
        return {path: file.bytes for path, file in self.place.files.items()}


def find_origin(source: str, revision: str | None, precision: str, tell: Tell) -> Origin | None:
    """The origin of a model in ONNX; `None` for one that is to be compiled."""
    directory = named_directory(source)
    if directory:
        if precision != "bf16" and layout.is_layout(_lengths(directory)):
            digest = _hash(directory)
            return Origin(directory.name, str(directory), digest[:12], "unknown", directory)
        from audiosearch.models.hub import check_directory

        check_directory(directory, source)
        return None
    known = KNOWN.get(source) if revision is None else None
    if precision == "bf16" or (source in KNOWN and not known):
        return None
    tell(f"looking for {source}")
    try:
        repository = list_repository(
            known.repository if known else source, known.commit if known else revision
        )
    except HubUnreachable:
        from audiosearch.models.hub import is_cached

        if not is_cached(source) or _why_not_compiled():
            raise
        return None
    if not layout.is_layout(repository.files):
        if reason := _why_not_compiled():
            towers = f"{layout.tower_path(AUDIO)} and so on"
            raise ModelNotFound(f"{source} holds no CLAP in ONNX ({towers}): {reason}")
        return None
    address = f"https://huggingface.co/{repository.name}"
    licence = known.licence if known else repository.licence
    return Origin(source, address, repository.commit, licence, repository)


def _why_not_compiled() -> str:
    """What is missing to compile a checkpoint; nothing where nothing is."""
    from audiosearch.models.compile import check_extra

    try:
        check_extra()
    except ModelNotFound as error:
        return str(error)
    return ""


def _lengths(directory: Path) -> dict[str, int]:
    names = [*SMALL]
    names += [layout.tower_path(t, p) for t in layout.TOWERS for p in layout.SUFFIXES]
    files = {name: directory / name for name in names}
    return {name: file.stat().st_size for name, file in files.items() if file.is_file()}


def _hash(directory: Path) -> str:
    """BLAKE2b (16 bytes, hex) of what makes the model what it is."""
    digest = hashlib.blake2b(digest_size=16)
    for name in (*SMALL, *(layout.tower_path(tower) for tower in layout.TOWERS)):
        digest.update(f"{name} {file_entry(directory / name).blake2b}\n".encode())
    return digest.hexdigest()
