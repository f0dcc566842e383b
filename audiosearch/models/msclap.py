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
    name = name or (source if source != str(file) else file.stem)
    target = free_place(name, origin)
    from audiosearch.models import msclap_towers
    from audiosearch.models.model import Model

    opened = open_file(file, tokenizer, tell)
    if source.startswith("msclap-") and source != f"msclap-{opened.version}":
        raise ModelBroken(f"{source} holds the MS-CLAP of {opened.version}")
    weights = file_entry(file).blake2b
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clear_abandoned(target.parent)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=target.parent) as made:
            folder = Path(made) / "bundle"
            folder.mkdir()
            tell("exporting both towers")
            opened.tokenizer.save(str(folder / TOKENIZER))
            msclap_towers.export_towers(opened.sounds, opened.words, opened.frames, folder)
            values = {
                "name": name,
                "revision": revision or weights[:12],
                "origin": origin,
                "licence": "MIT" if origin.startswith("https:") else "unknown",
                "weights": mark(weights),
                "precision": "fp32",
                **opened.facts(),
            }
            bundle = write_manifest(folder, values, (AUDIO, TEXT, TOKENIZER))
            tell("comparing with PyTorch")
            towers = msclap_towers.Reference(
                opened.sounds, opened.words, opened.front_end, opened.tokenizer
            )
            compare(Model(bundle), towers)
            if precision == "auto":
                tell("comparing with int8")
                bundle = _lower(bundle, tell)
            return put_in_place(bundle.directory, target)
    except OSError as error:
        raise AudioSearchError(f"cannot write {target}: {error.strerror}") from error


@dataclass(frozen=True)
class Opened:
    """A file of MS-CLAP: its state dict, both towers with its weights, and what they read."""

    version: str
    state: dict[str, Any]
    sounds: Sounds
    words: Words
    front_end: FrontEnd
    tokenizer: Any

    @property
    def frames(self) -> int:
        """The frames of a window's picture."""
        window = VERSIONS[self.version].window_seconds * self.front_end.sampling_rate
        return self.front_end.frame_count(round(window))

    def facts(self) -> dict[str, Any]:
        """What its bundle's `model.json` says of it, whatever its name and place."""
        about = VERSIONS[self.version]
        return {
            "dimension": self.sounds.projection.layer_norm.weight.shape[0],
            "front_end": asdict(self.front_end),
            "window_seconds": about.window_seconds,
            "hop_seconds": about.window_seconds / 2,
            "max_tokens": about.max_tokens,
            # The paper's, of both versions (arXiv 2206.04769, section 3.3).
            "query_template": "this is a sound of {}",
            "logit_scale": scale_of(self.state),
        }


def open_file(file: Path, tokenizer: str | None, tell: Tell) -> Opened:
    """Read a file, and the tokenizer of its version from a directory or the hub.

    Raises `ModelBroken`, `ModelNotFound`.
    """
    from audiosearch.models import msclap_file, msclap_towers

    tell(f"loading {file.name}")
    state = msclap_file.read_file(file)
    version = msclap_file.version_of(state, file)
    facts = VERSIONS[version]
    front_end = _filters_of(state, facts, file)
    sounds, words = msclap_towers.build(state, file)
    tokens = _tokenizer(version, facts, tokenizer, tell)
    return Opened(version, state, sounds, words, front_end, tokens)


def scale_of(state: dict[str, Any]) -> float:
    """What turns cosines into logits, by a file's state dict."""
    return min(100.0, float(state["logit_scale"].exp()))


def mark(weights: str) -> str:
    """What identifies the weights of a bundle that was made of the file with this hash."""
    return f"{weights}-msclap-{_COMPILER}"


def file_of(bundle: Bundle) -> Path | None:
    """The file that a bundle was made of; None for a bundle that was made of something else.

    Raises `ModelNotFound` where it is gone, or another by now.
    """
    weights, is_one, _ = (bundle.weights or "").partition("-msclap-")
    if not is_one:
        return None
    # A run that was moved has its file beside its bundle.
    beside = bundle.directory.parent / Path(bundle.origin).name
    file = Path(bundle.origin)
    file = beside if beside.is_file() and not file.is_file() else file
    if bundle.origin.startswith("https:"):
        from audiosearch.models.hub import fetch_snapshot

        seconds = bundle.window_seconds
        name = next(v.file for v in VERSIONS.values() if v.window_seconds == seconds)
        file = fetch_snapshot(_REPOSITORY, [name], bundle.revision) / name
    if not file.is_file():
        raise ModelNotFound(
            f"{bundle.name} was made of {file}, which is not there: bring it back, or add the model "
            "again from where it is (audiosearch models add FILE)"
        )
    if file_entry(file).blake2b != weights:
        raise ModelNotFound(
            f"{bundle.name} was made of another {file} than the one there: add the model again "
            f"(audiosearch models add {file})"
        )
    return file


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
