"""The full-size models that a name fetches ready to run: what hubs hold in ONNX of LAION's checkpoints.

Commits are fixed, so that a model is the same on every machine and whenever it is added. Sizes are
those of the repositories' files, in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A model that can be had: `name` is the checkpoint's, `repository` holds it in ONNX at `commit`.

    `bytes` to download at most: both towers, the tokenizer, and the audio tower in int8 to try.
    """

    name: str
    repository: str
    commit: str
    bytes: int
    window_seconds: float
    licence: str
    hears: str


_MODELS = (
    Known(
        "laion/clap-htsat-unfused",
        "Xenova/clap-htsat-unfused",
        "c28f2883575e590e04d3146ff0713c2448d691ba",
        656_000_000,
        10.0,
        "apache-2.0",
        "general sounds, finer descriptions",
    ),
    Known(
        "laion/larger_clap_general",
        "Xenova/larger_clap_general",
        "d78c3994912c441f0151a5cc44d86f6b7bf4c861",
        864_000_000,
        10.0,
        "apache-2.0",
        "general sounds, music and speech",
    ),
    Known(
        "laion/larger_clap_music_and_speech",
        "Xenova/larger_clap_music_and_speech",
        "e9fd5ac1dbf3280936a7fc3ec8a020453ff184db",
        864_000_000,
        10.0,
        "apache-2.0",
        "music and speech",
    ),
)
KNOWN = {model.name: model for model in _MODELS}
