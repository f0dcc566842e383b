"""audiosearch: find sounds by describing what you hear.

from audiosearch import Library
with Library.open("~/sfx.library") as library:
    for hit in library.search("campfire crackling"):
        print(hit.score, hit.path, hit.start, hit.end)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# Since 1.29, ONNX Runtime reports to its makers which models run, keeps a number of the machine, and
# reads this when it is loaded: so it stands before every import of it, here and in other processes.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0"

__all__ = [
    "AudioSearchError",
    "Classification",
    "Filter",
    "Hit",
    "Library",
    "Sound",
    "Status",
    "Term",
    "__version__",
]

if TYPE_CHECKING:
    from audiosearch.catalog.filters import Filter
    from audiosearch.catalog.records import Sound
    from audiosearch.errors import AudioSearchError
    from audiosearch.library import Library
    from audiosearch.results import Classification, Hit, Status
    from audiosearch.search.query import Term

_WHERE = {
    "AudioSearchError": "audiosearch.errors",
    "Classification": "audiosearch.results",
    "Filter": "audiosearch.catalog.filters",
    "Hit": "audiosearch.results",
    "Library": "audiosearch.library",
    "Sound": "audiosearch.catalog.records",
    "Status": "audiosearch.results",
    "Term": "audiosearch.search.query",
}


def __getattr__(name: str) -> object:
    """Load the public names when they are first used, so that `audiosearch --help` is instant."""
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
