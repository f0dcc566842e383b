"""Which copy of a sound is the best: by rate, depth, losslessness, channels and length."""

from __future__ import annotations

import os
import re

from audiosearch.catalog.records import Sound

# The rate of a lossy file says little of what it holds: Opus declares 48 kHz for every sound, and
# others raise the rate of what they get. So a lossy copy is preferred for its rate only to lossless
# ones below this.
_LOSSY_RATE = 22_050

_LOSSLESS = re.compile(
    r"(s?pcm|float|double|dwvw|dpcm|alac|flac|wavpack|tta|ape|als|mlp|truehd|shorten|dsd|wmalossless)"
)
_DEPTHS = {"float": 32, "double": 64}


def is_lossless(sound: Sound) -> bool:
    """Return whether the encoding of a sound keeps every sample."""
    subtype = (sound.subtype or "").lower()
    return bool(_LOSSLESS.match(subtype)) and "adpcm" not in subtype


def depth(sound: Sound) -> int:
    """Return the bits of a sample; 0 for lossy encodings, which have none."""
    if not is_lossless(sound):
        return 0
    subtype = (sound.subtype or "").lower()
    digits = re.search(r"\d+", subtype)
    return _DEPTHS.get(subtype, int(digits.group()) if digits else 16)


def is_missing(sound: Sound) -> bool:
    """Return whether the file of a sound is not on the disk now."""
    return not os.path.lexists(sound.path)


def preference(sound: Sound) -> tuple[object, ...]:
    """Return a key by which the best copy sorts first. Files that are missing come last, and ties go
    by path.
    """
    lossless = is_lossless(sound)
    rate = sound.sample_rate or 0
    return (
        is_missing(sound),
        -(rate if lossless else min(rate, _LOSSY_RATE)),
        -depth(sound),
        not lossless,
        -(sound.channels or 0),
        # The padding of coders is no longer sound.
        -round((sound.duration or 0.0) / 0.2),
        os.fsencode(sound.path),
    )


def properties(sound: Sound) -> str:
    """Return what the best copy is chosen by, in words: ``48 kHz, 24 bit, lossless, stereo``."""
    bits = depth(sound)
    parts = [
        kilohertz(sound.sample_rate or 0),
        *([f"{bits} bit"] if bits else []),
        "lossless" if is_lossless(sound) else "lossy",
        channels(sound.channels or 0),
    ]
    return ", ".join(parts)


def kilohertz(rate: int) -> str:
    """Return a rate in words: ``22.05 kHz``."""
    return f"{rate / 1000:g} kHz"


def channels(count: int) -> str:
    """Return a number of channels in words."""
    return {1: "mono", 2: "stereo"}.get(count, f"{count} channels")
