"""Vocabularies: lists of phrases, of which the nearest to a sound are looked up.

A vocabulary is a text file in UTF-8 with one phrase a line; empty lines and lines that begin with #
do not count. ``audioset`` is in the package: the 527 classes of AudioSet.
"""

from __future__ import annotations

from importlib.resources import files

from audiosearch.errors import InvalidQuery
from audiosearch.paths import user_path

AUDIOSET = "audioset"
# Each phrase takes the text tower some milliseconds.
_MOST = 20_000


def read_vocabulary(name: str) -> tuple[str, ...]:
    """Return the phrases of ``audioset``, or of a text file. Raises `InvalidQuery`.

    >>> len(read_vocabulary("audioset"))
    527
    """
    try:
        if name == AUDIOSET:
            folder = files("audiosearch.search") / "vocabularies"
            text = (folder / f"{AUDIOSET}.txt").read_text(encoding="utf-8")
        else:
            text = user_path(name).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidQuery(
            f"cannot read the vocabulary {name}: {error.strerror or error}: it is {AUDIOSET}, or a "
            "text file with one phrase a line"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidQuery(f"the vocabulary {name} is not a text file in UTF-8") from error
    lines = (" ".join(line.split()) for line in text.splitlines())
    phrases = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not phrases:
        raise InvalidQuery(f"the vocabulary {name} holds no phrases: it has one a line")
    if len(phrases) > _MOST:
        raise InvalidQuery(
            f"the vocabulary {name} has {len(phrases)} phrases, and at most {_MOST} are compared"
        )
    return phrases
