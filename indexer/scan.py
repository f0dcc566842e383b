"""Walking folders: which files are sounds, and what could not be looked into.

Paths are bytes relative to the folder, with ``/`` between parts, in a fixed order. Hidden files and
folders (a leading dot, which covers the ``._`` resource forks of macOS) are skipped, and symbolic
links unless they are followed.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# What libsndfile or FFmpeg reads and people keep sounds in; video for its sound track.
SUFFIXES = frozenset(
    """
    wav wave bwf w64 rf64 flac ogg oga opus mp3 mp2 mpga aif aiff aifc caf au snd voc sf ircam avr
    sd2 nist sph svx 8svx m4a m4b aac adts alac wma asf ac3 eac3 amr ape wv tta mka dts spx gsm tak
    mp4 m4v mov mkv webm avi mpg mpeg wmv flv 3gp ogv mts m2ts ts mxf
    """.split()  # noqa: SIM905 - a list of 60 lines says no more
)


@dataclass(frozen=True)
class Found:
    """A sound file: path relative to the scanned folder, size in bytes, mtime in nanoseconds."""

    path: bytes
    size: int
    mtime_ns: int


@dataclass
class Walk:
    """One walk over a folder; `unreadable` holds the relative paths of folders that could not be
    listed and of files that could not be looked at.
    """

    folder: bytes
    exclude: Sequence[str] = ()
    follow_symlinks: bool = False
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Found]:
        seen: set[tuple[int, int]] = set()
        yield from self._below(b"", seen)

    def _below(self, relative: bytes, seen: set[tuple[int, int]]) -> Iterator[Found]:
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
            if self._skipped(entry, path):
                continue
            try:
                if entry.is_dir():
                    yield from self._below(path, seen)
                elif is_sound_name(entry.name):
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        yield Found(path, status.st_size, status.st_mtime_ns)
            except FileNotFoundError:
                continue  # it went away between the listing and the look
            except OSError as error:  # it may well be there
                self.unreadable.append((path, error.strerror or str(error)))

    def _skipped(self, entry: os.DirEntry[bytes], path: bytes) -> bool:
        if entry.name.startswith(b"."):
            return True
        if entry.is_symlink() and not self.follow_symlinks:
            return True
        return is_excluded(path, self.exclude)


def is_sound_name(name: bytes) -> bool:
    """Whether a file's name has a suffix of a sound."""
    suffix = name.rpartition(b".")[2].lower()
    return suffix.decode("ascii", "replace") in SUFFIXES and b"." in name


def is_excluded(path: bytes, patterns: Sequence[str]) -> bool:
    """Whether the relative path, or its last part, matches one of the patterns."""
    shown = os.fsdecode(path)
    name = shown.rpartition("/")[2]
    return any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(shown, p) for p in patterns)
