"""File systems that change without telling this machine: network shares and the like.

Linux lists its mounts in `/proc/self/mountinfo`. Other systems are not asked: every folder counts
as local there, and shares take `--poll`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")

# Changes that other machines make are not reported on these. FUSE is in doubt: sshfs and rclone
# mount what others change. `fuseblk` is a local disk (NTFS).
_SILENT = re.compile(
    r"nfs|nfs4|cifs|smb2|smb3|smbfs|ncpfs|afs|coda|ceph|glusterfs|lustre|gpfs|beegfs|ocfs2|gfs2"
    r"|orangefs|davfs|9p|virtiofs|vboxsf|prl_fs|drvfs|fuse(\..+)?"
)


def mounts() -> dict[bytes, str]:
    """Return the type of the file system at each mount point; nothing where that is not known."""
    try:
        return parsed(_MOUNTS.read_bytes())
    except OSError:
        return {}


def parsed(listing: bytes) -> dict[bytes, str]:
    """Return mount points with their types from the text of a `mountinfo`."""
    types = {}
    for line in listing.splitlines():
        place, _, kind = line.partition(b" - ")
        fields = place.split(b" ")
        if len(fields) > 4 and kind:
            # A later mount at one place covers an earlier one.
            types[_unescaped(fields[4])] = kind.split(b" ")[0].decode("ascii", "replace")
    return types


def _unescaped(path: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), path)


def inside_of(folder: bytes, known: Mapping[bytes, str]) -> frozenset[bytes]:
    """Return the mount points below a folder (an absolute path without links)."""
    prefix = folder.rstrip(b"/") + b"/"
    return frozenset(point for point in known if point.startswith(prefix))


def is_silent(folder: bytes, known: Mapping[bytes, str]) -> bool:
    """Whether changes in a folder (an absolute path without links), or in a mount below it, may go
    unreported.
    """
    around = [p for p in known if folder == p or folder.startswith(p.rstrip(b"/") + b"/")]
    points = {max(around, key=len)} if around else set()
    points |= inside_of(folder, known)
    return any(_SILENT.fullmatch(known[point]) for point in points)
