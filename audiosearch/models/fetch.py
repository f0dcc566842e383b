"""Files of a repository on the Hugging Face hub: listed, downloaded, resumed after a cut, checked.

The downloads of the hub's own client are not used: they forget what came before a cut when the program
ends, and compare lengths, not hashes. Each file here grows in `NAME.part` until it is whole and has the
SHA-256 (of small files: git's own hash) that the hub lists.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audiosearch.errors import AudioSearchError, ModelNotFound
from audiosearch.models.hub_http import (
    BLOCK,
    Cut,
    check_id,
    explained,
    hub_address,
    raise_for_status,
    read,
    response,
    uncut,
)

# Attempts in a row that bring nothing, and the pause before the next, in seconds, which doubles.
_ATTEMPTS = 5
_PAUSE = 0.5
_MARGIN = 16 << 20  # of disk that is left free


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository, its length in bytes, and a hash of it (hex): SHA-256, else git's."""

    path: str
    bytes: int
    sha256: str | None
    git: str | None


@dataclass(frozen=True)
class Repository:
    """A repository at a commit: its files by path, and the licence that its card names."""

    name: str
    commit: str
    licence: str
    files: Mapping[str, RemoteFile]


def list_repository(name: str, revision: str | None = None) -> Repository:
    """What the hub holds under an id (``owner/name``), at a branch, tag or commit (default: main).

    Raises `HubUnreachable`, or `ModelNotFound` for what is not there or not for everybody.
    """
    check_id(name)
    at = quote(revision or "main", safe="")
    url = f"{hub_address()}/api/models/{name}/revision/{at}?blobs=true"
    with explained(name, revision):
        content = read(url)
    try:
        return _parse(name, json.loads(content))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ModelNotFound(
            f"{hub_address()} gave no list of the files of {name}: is it a Hugging Face hub?"
        ) from error


def fetch_files(
    repository: Repository,
    names: Mapping[str, str],
    folder: Path,
    on_bytes: Callable[[int], None],
) -> None:
    """Download the files `names` (path in the repository: name in `folder`), as far as they are not
    there. `on_bytes` is told of bytes as they come, and of those that are there already.

    Raises `ModelNotFound` where they cannot be had whole, `AudioSearchError` where the disk is full.
    """
    _check_space(repository, names, folder)
    for path, name in names.items():
        with explained(repository.name, repository.commit):
            _fetch_file(repository, repository.files[path], folder / name, on_bytes)


def _parse(name: str, stored: Any) -> Repository:
    files = {}
    for entry in stored["siblings"]:
        lfs = entry.get("lfs") or {}
        size = lfs.get("size", entry.get("size"))
        if isinstance(size, int) and size >= 0:
            file = RemoteFile(entry["rfilename"], size, lfs.get("sha256"), entry.get("blobId"))
            files[file.path] = file
    card = stored.get("cardData") or {}
    licence = card.get("license")
    if not (isinstance(licence, str) and licence and licence.isprintable()):
        licence = "unknown"
    commit = stored["sha"]
    if not (isinstance(commit, str) and commit.isalnum()):
        raise ValueError(commit)
    return Repository(name, commit, licence, files)


def _check_space(repository: Repository, names: Mapping[str, str], folder: Path) -> None:
    missing = 0
    for path, name in names.items():
        size = repository.files[path].bytes
        here = [place for place in (folder / name, _part(folder / name)) if place.is_file()]
        missing += max(0, size - sum(place.stat().st_size for place in here))
    free = shutil.disk_usage(folder).free
    if missing and free < missing + _MARGIN:
        raise AudioSearchError(
            f"the disk is too full for {repository.name}: {missing / 1e6:.0f} MB are missing, "
            f"{free / 1e6:.0f} MB are free at {folder.parent}: make room, or set AUDIOSEARCH_CACHE"
        )


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _fetch_file(
    repository: Repository, file: RemoteFile, target: Path, on_bytes: Callable[[int], None]
) -> None:
    if target.is_file() and target.stat().st_size == file.bytes:  # it was checked when it came
        on_bytes(file.bytes)
        return
    part = _part(target)
    part.touch()
    size = part.stat().st_size
    if size > file.bytes:
        part.write_bytes(b"")
        size = 0
    on_bytes(size)
    url = f"{hub_address()}/{repository.name}/resolve/{repository.commit}/{quote(file.path)}"
    vain = 0
    while size < file.bytes:
        try:
            _append(url, part, file, on_bytes)
        except Cut as error:
            vain = 0 if part.stat().st_size > size else vain + 1
            if vain == _ATTEMPTS:
                raise ModelNotFound(
                    f"the download of {repository.name} stopped at {part.stat().st_size / 1e6:.0f} of "
                    f"{file.bytes / 1e6:.0f} MB of {file.path} ({error}): the same command goes on "
                    "from there"
                ) from error
            time.sleep(_PAUSE * 2**vain)
        size = part.stat().st_size
    if not _is_whole(part, file):
        part.unlink()
        raise ModelNotFound(
            f"{file.path} of {repository.name} did not come as the hub lists it (its checksum is "
            "another) and was thrown away: add it again"
        )
    part.replace(target)


def _append(url: str, part: Path, file: RemoteFile, on_bytes: Callable[[int], None]) -> None:
    """Add to the part what is missing. Raises `Cut` where the connection ends before."""
    begin = part.stat().st_size
    headers = {"Range": f"bytes={begin}-"} if begin else {}
    try:
        with uncut(), part.open("ab") as sink, response(url, headers) as answer:
            raise_for_status(answer)
            if begin and answer.status_code != 206:  # the whole comes again
                sink.truncate(0)
                on_bytes(-begin)
                begin = 0
            for block in answer.iter_bytes():  # as they come: what was gathered is lost at a cut
                begin += len(block)
                if begin > file.bytes:
                    raise Cut("more came than the hub lists")
                sink.write(block)
                on_bytes(len(block))
            if begin < file.bytes:
                raise Cut("the connection ended")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise AudioSearchError(
            f"the disk is full: {part.parent}: what came is kept, make room and add it again"
        ) from error


def _is_whole(path: Path, file: RemoteFile) -> bool:
    """Whether a file has the hash that the hub lists; of one without any, nobody can say so."""
    if file.sha256:
        digest, expected = hashlib.sha256(), file.sha256
    elif file.git:
        digest, expected = hashlib.sha1(usedforsecurity=False), file.git
        digest.update(f"blob {file.bytes}\0".encode())
    else:
        return False
    with path.open("rb") as content:
        while block := content.read(BLOCK):
            digest.update(block)
    return digest.hexdigest() == expected
