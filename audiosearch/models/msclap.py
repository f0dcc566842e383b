"""Microsoft's CLAP as bundles: `msclap-2022` and `msclap-2023` of the hub (`microsoft/msclap`), or the
file of either on this computer.

The file holds no tokenizer: BERT's or GPT-2's comes from the hub too, or from a directory. Sounds
are mixed to mono by their mean and cut in exact windows, as for any bundle; the original puts
channels one after another and cuts at random. Compiling needs the extra ``clap``; is done once.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import AudioSearchError, InvalidQuery, ModelBroken, ModelNotFound
from audiosearch.models.bundle import AUDIO, TEXT, TOKENIZER, Bundle, FrontEnd, file_entry
from audiosearch.models.frontend import mel_matrix
from audiosearch.models.origin import Tell
from audiosearch.models.place import (
    UNFINISHED,
    clear_abandoned,
    free_place,
    put_in_place,
    write_manifest,
)
from audiosearch.paths import user_path

if TYPE_CHECKING:
    from audiosearch.models.msclap_towers import Sounds, Words

_REPOSITORY = "microsoft/msclap"
# A change here or in `msclap_towers` that changes the vectors must raise this number.
_COMPILER = 1


def _front_end(filter_rate: int | None, frequency_max: float) -> FrontEnd:
    return FrontEnd(
        44_100, 1024, 320, 64, 50.0, frequency_max, padding="repeat", filter_rate=filter_rate
    )


@dataclass(frozen=True)
class Version:
    """What a version's file does not say. `front_ends` are those that its filters may be of: the code
    of 2023 makes them for 32 kHz and feeds them 44.1 kHz.
    """

    file: str
    tokenizer: str
    window_seconds: float
    max_tokens: int
    front_ends: tuple[FrontEnd, ...]


VERSIONS = {
    "2022": Version(
        "CLAP_weights_2022.pth", "bert-base-uncased", 5.0, 100, (_front_end(None, 14_000.0),)
    ),
    "2023": Version(
        "CLAP_weights_2023.pth",
        "gpt2",
        7.0,
        77,
        (_front_end(32_000, 14_000.0), _front_end(None, 8_000.0), _front_end(None, 14_000.0)),
    ),
}


def is_msclap(source: str) -> bool:
    """Whether a name or path means an MS-CLAP file."""
    return source.removeprefix("msclap-") in VERSIONS or source.endswith(".pth")


def add_msclap(
    source: str, name: str | None, precision: str, tokenizer: str | None, tell: Tell
) -> Bundle:
    """Compile an MS-CLAP into the user's cache. Raises `ModelNotFound`, `ModelBroken`, `InvalidQuery`.

    `precision` is ``fp32``, or ``auto`` for int8 where it is faster here and sounds keep their vectors.
    """
    from audiosearch.models.compile import _lower, check_extra, compare

    if precision not in ("auto", "fp32"):
        raise InvalidQuery(f"an MS-CLAP can be had in auto or fp32, not in {precision}")
    check_extra()
    file, origin, revision = _find(source, tell)
    target = free_place(name or (source if source != str(file) else file.stem), origin)
    from audiosearch.models import msclap_towers, onnx_export
    from audiosearch.models.model import Model

    tell(f"loading {file.name}")
    state = msclap_towers.read_file(file)
    version = msclap_towers.version_of(state, file)
    facts = VERSIONS[version]
    if source.startswith("msclap-") and source != f"msclap-{version}":
        raise ModelBroken(f"{source} holds the MS-CLAP of {version}")
    front_end = _filters_of(state, facts, file)
    sounds, words = msclap_towers.build(state, file)
    tokens = _tokenizer(version, facts, tokenizer, tell)
    weights = file_entry(file).blake2b
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clear_abandoned(target.parent)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=target.parent) as made:
            folder = Path(made) / "bundle"
            folder.mkdir()
            tell("exporting both towers")
            tokens.save(str(folder / TOKENIZER))
            window = round(facts.window_seconds * front_end.sampling_rate)
            _export(onnx_export, sounds, words, front_end.frame_count(window), folder)
            values = {
                "name": name or (source if source != str(file) else file.stem),
                "revision": revision or weights[:12],
                "origin": origin,
                "licence": "MIT" if origin.startswith("https:") else "unknown",
                "weights": f"{weights}-msclap-{_COMPILER}",
                "precision": "fp32",
                "dimension": sounds.projection.layer_norm.weight.shape[0],
                "front_end": asdict(front_end),
                "window_seconds": facts.window_seconds,
                "hop_seconds": facts.window_seconds / 2,
                "max_tokens": facts.max_tokens,
                # The paper's, of both versions (arXiv 2206.04769, section 3.3).
                "query_template": "this is a sound of {}",
                "logit_scale": min(100.0, float(state["logit_scale"].exp())),
            }
            bundle = write_manifest(folder, values, (AUDIO, TEXT, TOKENIZER))
            tell("comparing with PyTorch")
            compare(Model(bundle), Reference(sounds, words, front_end, tokens))
            if precision == "auto":
                tell("comparing with int8")
                bundle = _lower(bundle, tell)
            return put_in_place(bundle.directory, target)
    except OSError as error:
        raise AudioSearchError(f"cannot write {target}: {error.strerror}") from error


def _find(source: str, tell: Tell) -> tuple[Path, str, str | None]:
    """The file, where it comes from, and its commit."""
    version = source.removeprefix("msclap-")
    if version in VERSIONS:
        from audiosearch.models.hub import fetch_snapshot

        tell(f"looking for {source}")
        snapshot = fetch_snapshot(_REPOSITORY, [VERSIONS[version].file])
        file = snapshot / VERSIONS[version].file
        if not file.is_file():
            raise ModelNotFound(f"{_REPOSITORY} does not hold {file.name} any more")
        return file, f"https://huggingface.co/{_REPOSITORY}", snapshot.name
    file = user_path(source)
    if not file.is_file():
        raise ModelNotFound(f"there is no file {source}")
    return file, str(file.absolute()), None


def _filters_of(state: dict[str, Any], facts: Version, file: Path) -> FrontEnd:
    """The front end whose filters the file holds; the version's own where it holds none."""
    held = [value for name, value in state.items() if name.endswith("logmel_extractor.melW")]
    if not held:
        return facts.front_ends[0]
    theirs = held[0].numpy()
    for front_end in facts.front_ends:
        ours = mel_matrix(front_end)
        if ours.shape == theirs.shape and np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max():
            return front_end
    raise ModelBroken(f"{file} was trained with mel filters that are not known here")


def _tokenizer(version: str, facts: Version, directory: str | None, tell: Tell) -> Any:
    import tokenizers

    from audiosearch.models.towers import open_tokenizer

    if directory:
        folder = user_path(directory)
    else:
        from audiosearch.models.hub import fetch_snapshot

        tell(f"looking for the tokenizer of {facts.tokenizer}")
        folder = fetch_snapshot(facts.tokenizer, [TOKENIZER])
    path = folder / TOKENIZER
    if not path.is_file():
        raise ModelNotFound(f"{folder} holds no {TOKENIZER}: give that of {facts.tokenizer}")
    made = open_tokenizer(path, facts.max_tokens)
    if version == "2023":
        # The original writes " <|endoftext|>" behind each text, and reads what is above that.
        end, space = made.token_to_id("<|endoftext|>"), made.token_to_id("Ġ")
        if end is None or space is None:
            raise ModelBroken(f"{path} is not the tokenizer of gpt2: it has no <|endoftext|>")
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single="$A Ġ <|endoftext|>", special_tokens=[("Ġ", space), ("<|endoftext|>", end)]
        )
    elif made.token_to_id("[CLS]") is None:
        raise ModelBroken(f"{path} is not the tokenizer of {facts.tokenizer}: it has no [CLS]")
    return made


def _export(onnx_export: Any, sounds: Sounds, words: Words, frames: int, folder: Path) -> None:
    import torch

    picture = torch.full((1, 1, frames, 64), -40.0)
    onnx_export.export(sounds, {"input_features": picture}, {0: "batch"}, folder / AUDIO)
    ids = torch.tensor([[1, 2, 3]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    onnx_export.export(words, inputs, {0: "batch", 1: "tokens"}, folder / TEXT)


class Reference:
    """The towers on PyTorch: what a bundle must agree with."""

    def __init__(self, sounds: Sounds, words: Words, front_end: FrontEnd, tokenizer: Any) -> None:
        self._sounds, self._words = sounds, words
        self._front_end, self._tokenizer = front_end, tokenizer

    def embed_audio(self, windows: np.ndarray) -> np.ndarray:
        """Return the unit vectors (n, d) of windows (n, samples), both float32."""
        import torch

        from audiosearch.models.frontend import log_mel

        pictures = torch.from_numpy(log_mel(windows, self._front_end))[:, None]
        with torch.no_grad():
            vectors: np.ndarray = self._sounds(pictures).numpy()
        return vectors

    def embed_text(self, text: str) -> np.ndarray:
        """Return the unit vector (d,) of a text."""
        import torch

        ids = torch.tensor([self._tokenizer.encode(text).ids])
        with torch.no_grad():
            vector: np.ndarray = self._words(ids, torch.ones_like(ids))[0].numpy()
        return vector
