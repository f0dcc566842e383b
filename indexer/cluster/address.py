"""Which cluster a run uses: the text behind ``--cluster``.

``auto`` is the cluster that this machine is a node of, ``HOST:PORT`` the cluster of that head node,
and ``local:N`` N workers on this machine, for one run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec

from audiosearch.errors import ClusterUnavailable, InvalidQuery, shown_value

AUTO = "auto"
_LOCAL = re.compile(r"local:(\d{1,4})")
_HEAD = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


@dataclass(frozen=True)
class Address:
    """A cluster. `local` is the number of workers of one that is started for the run; `head` is
    what Ray connects to otherwise.
    """

    text: str
    head: str | None = None
    local: int | None = None


def cluster_address(text: str) -> Address:
    """Return the cluster that a text names. Raises `InvalidQuery`, and `ClusterUnavailable` where
    Ray is not installed.
    """
    address = _parsed(text)
    if find_spec("ray") is None:
        raise ClusterUnavailable(
            f"--cluster {text} needs Ray, which is not installed: pip install 'audiosearch[cluster]'"
        )
    return address


def _parsed(text: str) -> Address:
    if text == AUTO:
        return Address(text, head=AUTO)
    local = _LOCAL.fullmatch(text)
    if local and int(local[1]):
        return Address(text, local=int(local[1]))
    head = _HEAD.fullmatch(text)
    if head and head[1] != "local" and 0 < int(head[2]) < 65_536:
        return Address(text, head=text)
    if text.startswith("ray://"):
        raise InvalidQuery(
            "--cluster takes no ray:// address: run the command on a node of the cluster, with "
            "--cluster auto"
        )
    raise InvalidQuery(
        f"--cluster is auto, HOST:PORT of the head node, or local:N for N workers on this machine; "
        f"it is not {shown_value(text)}"
    )
