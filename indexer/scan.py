"""Walking folders: which files are sounds, and what could not be looked into.

Paths are bytes relative to the folder, with ``/`` between parts, in a fixed order. Hidden files and
folders (a leading dot, which covers the ``._`` resource forks of macOS) are skipped, and symbolic
links unless they are followed.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from indexer.rules import Rules

# What libsndfile or FFmpeg reads and recognises by its content; video for its sound track. Not:
# samples without a header, playlists, and what has a key.
SUFFIXES = frozenset(
    """
    wav wave bwf amb w64 rf64 bw64 flac fla ogg oga ogx ogm mogg opus spx mp3 mp2 mp1 mpa mpga m2a
    aif aiff aifc caf au snd voc sf ircam avr sd2 sds nist sph svx 8svx 16sv iff paf fap pvf xi wve
    htk m4a m4b m4r m4p f4a f4b aac adts loas latm alac wma xwm xwma asf ac3 ec3 eac3 ac4 amr awb
    ape apl mac wv tta tak mpc mp+ mpp mka weba dts dtshd dsf dff mlp thd truehd gsm shn oma omg
    aa3 at3 ra qcp dss iamf lc3 osq bonk rka laf qoa vqf adx hca ast brstm bfstm bcstm vag xvag fsb
    mp4 m4v mov qt mkv mk3d webm avi divx mpg mpeg mpe m2p vob evo wmv flv f4v 3gp 3g2 3gpp 3gp2
    3ga ogv mts m2ts m2t ts trp tp mod tod mxf gxf dv dif rm rmvb nut wtv dvr-ms nsv mj2 isma ismv
    lrv insv
    """.split()  # noqa: SIM905 - a list of 150 lines says no more
)

# SQLite's integers hold nanoseconds up to the year 2262.
_LAST_NS = (1 << 63) - 1


def stamp(mtime_ns: int) -> int:
    """A time as the library keeps it: those that it cannot hold are the last or first that it
    can."""
    return max(-_LAST_NS, min(mtime_ns, _LAST_NS))


@dataclass(frozen=True)
class Found:
    """A sound file: path relative to the root, size in bytes, mtime in nanoseconds."""

    path: bytes
    size: int
    mtime_ns: int


@dataclass
class Walk:
    """One walk over the root `folder`, or over what is `below` in it, by the root's rules.

    Paths are relative to the root. Without `deep` the walk stays out of the folders that it meets.
    `unreadable` holds the paths of folders that could not be listed and of files that could not be
    looked at. `passed_over` counts the files that are no sounds by their suffix (lower case, ``""``
    for none).
    """

    folder: bytes
    rules: Rules = field(default_factory=Rules)
    below: bytes = b""
    deep: bool = True
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Found]:
        seen: set[tuple[int, int]] = set()
        # Folders may be nested deeper than Python's stack is.
        open_folders = [self._listed(self.below, seen)]
        while open_folders:
            for entry, path in open_folders[-1]:
                try:
                    if entry.is_dir():
                        if not self.deep:
                            continue
                        open_folders.append(self._listed(path, seen))
                        break
                    if not is_sound_name(entry.name):
                        self.passed_over[_suffix(entry.name)] += 1
                        continue
                    status = entry.stat()
                except FileNotFoundError:
                    continue  # it went away between the listing and the look
                except OSError as error:  # it may well be there
                    self.unreadable.append((path, error.strerror or str(error)))
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield Found(path, status.st_size, stamp(status.st_mtime_ns))
            else:
                open_folders.pop()

    def _listed(
        self, relative: bytes, seen: set[tuple[int, int]]
    ) -> Iterator[tuple[os.DirEntry[bytes], bytes]]:
        """What is in a folder, with its relative path; nothing of what is skipped."""
        here = os.path.join(self.folder, relative) if relative else self.folder  # noqa: PTH118
        try:
            status = os.stat(here)  # noqa: PTH116
            # A folder reached a second time, by links, is a loop or a duplicate.
            if (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(here) as listing:
                # What is really here comes before what is linked here.
                entries = sorted(listing, key=lambda e: (e.is_symlink(), e.name))
        except OSError as error:
            self.unreadable.append((relative, error.strerror or str(error)))
            return
        for entry in entries:
            path = relative + b"/" + entry.name if relative else entry.name
            if not self._skipped(entry, path):
                yield entry, path

    def _skipped(self, entry: os.DirEntry[bytes], path: bytes) -> bool:
        if entry.name.startswith(b"."):
            return True
        if entry.is_symlink() and not self.rules.follow(path):
            return True
        return self.rules.exclude(path)


def is_sound_name(name: bytes) -> bool:
    """Whether a file's name has a suffix of a sound."""
    return _suffix(name) in SUFFIXES


def _suffix(name: bytes) -> str:
    """In lower case, without its point; empty where there is none."""
    _, point, suffix = name.rpartition(b".")
    return suffix.lower().decode("ascii", "backslashreplace") if point else ""
