"""The windows of a file as messages of a decoding process: some windows in each, as log-mel pictures
(n, frames, mels) or as samples (n, length), little-endian float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from audiosearch.audio.windows import Window
from audiosearch.models.bundle import FrontEnd
from audiosearch.models.frontend import log_mel

Message = tuple[dict[str, Any], bytes | memoryview]

# Windows in a message: enough to make its cost vanish, few enough to keep both processes small.
_CHUNK = 8


def window_messages(windows: Iterable[Window], front_end: FrontEnd | None) -> Iterator[Message]:
    """Yield messages with the windows that are not silent and their times in seconds, as pictures of
    the front end; without one, as samples.
    """
    audible = (window for window in windows if not window.silent)
    while chunk := list(islice(audible, _CHUNK)):
        values = np.stack([window.samples for window in chunk])
        if front_end is not None:
            values = log_mel(values, front_end)
        times = [(window.start, window.end) for window in chunk]
        head = {"is": "windows", "times": times, "shape": values.shape}
        yield head, np.ascontiguousarray(values, dtype="<f4").data.cast("B")
