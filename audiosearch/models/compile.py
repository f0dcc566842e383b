"""The compiler: it turns any Hugging Face `ClapModel` checkpoint into a bundle in the user's cache,
once.

The compiler compares the bundle with transformers before it keeps it. It needs the extra ``clap``;
torch and transformers are imported inside its functions.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import AudioSearchError, InvalidQuery, ModelBroken, ModelNotFound
from audiosearch.models.bundle import (
    AUDIO,
    CHECKPOINT,
    MANIFEST,
    TEXT,
    TOKENIZER,
    Bundle,
    file_entry,
    read_bundle,
)
from audiosearch.models.hub import Checkpoint, find_checkpoint
from audiosearch.models.model import UNLIKE_TEXTS, Model, unlike_sounds
from audiosearch.models.place import (
    TEMPLATE,
    UNFINISHED,
    clear_abandoned,
    free_place,
    put_in_place,
    write_manifest,
)

if TYPE_CHECKING:
    from audiosearch.models.msclap_towers import Reference
    from audiosearch.models.onnx_export import Loaded

# A change here or in `models.onnx_export` that changes the vectors must raise this number: bundles
# compiled before are then other models.
_COMPILER = 2
PRECISIONS = ("auto", "fp32", "bf16")
# This is a part of the distance between the vectors of two unlike inputs.
_TOLERANCE = 1e-3


def compile_checkpoint(
    source: str,
    *,
    name: str | None = None,
    revision: str | None = None,
    precision: str = "auto",
    on_progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Compile the checkpoint of a hub id or directory into the cache. It replaces a bundle of its
    name.

    `name` is the name of the bundle (default: the id, or the directory's name). `precision` is that
    of the audio tower: ``fp32``; ``auto`` for int8, where this processor gains by it and real
    sounds keep their vectors (see `models.precision`); or ``bf16`` for indexing on a GPU, for the
    stages where real sounds keep their vectors (see `models.torch_tower`). `on_progress` gets a
    line for each step. The bundle appears when it is complete. Raises `ModelNotFound` where the
    checkpoint cannot be obtained or the extra is not installed, and `ModelBroken` where the
    checkpoint cannot be used.
    """
    tell = on_progress or (lambda step: None)
    if precision not in PRECISIONS:
        raise InvalidQuery(
            f"a compiled checkpoint can be had in {', '.join(PRECISIONS)}, not in {precision}: "
            "that is for models that come in ONNX"
        )
    tell(f"looking for the checkpoint of {source}")
    check_extra()
    checkpoint = find_checkpoint(source, revision)
    bundle_name = name or checkpoint.name
    target = free_place(bundle_name, checkpoint.origin)
    from audiosearch.models import onnx_export

    tell(f"loading {bundle_name}")
    loaded = onnx_export.load(checkpoint.directory)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clear_abandoned(target.parent)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=target.parent) as made:
            bundle = _write(Path(made) / "bundle", bundle_name, checkpoint, loaded, tell)
            tell("comparing with transformers")
            compare(Model(bundle), loaded)
            if precision == "auto":
                tell("comparing with int8")
                bundle = _lower(bundle, tell)
            elif precision == "bf16":
                tell("comparing with bfloat16")
                bundle = _halve(bundle, loaded, tell)
            return put_in_place(bundle.directory, target)
    except OSError as error:
        raise AudioSearchError(f"cannot write {target}: {error.strerror}") from error


def check_extra() -> None:
    """Raise `ModelNotFound` where the extra ``clap`` is not installed."""
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise ModelNotFound(
            f"to compile a checkpoint, {error.name} is needed: pip install 'audiosearch[clap]'"
        ) from error


def _write(
    directory: Path,
    name: str,
    checkpoint: Checkpoint,
    loaded: Loaded,
    tell: Callable[[str], None],
) -> Bundle:
    from audiosearch.models import onnx_export

    directory.mkdir()
    tell("exporting the audio tower")
    onnx_export.write_audio(loaded, directory / AUDIO)
    tell("exporting the text tower")
    onnx_export.write_text(loaded, directory / TEXT)
    onnx_export.write_tokenizer(loaded, directory / TOKENIZER)
    window = float(loaded.extractor.max_length_s)
    values = {
        "name": name,
        "revision": checkpoint.revision,
        "origin": checkpoint.origin,
        "licence": checkpoint.licence,
        "weights": f"{checkpoint.weights}-{_COMPILER}",
        "precision": "fp32",
        "dimension": int(loaded.clap.config.projection_dim),
        "front_end": asdict(onnx_export.front_end(loaded.extractor)),
        "window_seconds": window,
        "hop_seconds": window / 2,
        "max_tokens": loaded.max_tokens,
        "query_template": TEMPLATE,
        "logit_scale": float(loaded.clap.logit_scale_a.detach().exp()),
    }
    return write_manifest(directory, values, (AUDIO, TEXT, TOKENIZER))


def _lower(bundle: Bundle, tell: Callable[[str], None]) -> Bundle:
    """Return the bundle with its audio tower in int8, or unchanged where int8 is worse or no
    faster.
    """
    from audiosearch.models import precision

    whole, small = bundle.directory / AUDIO, bundle.directory / "int8.onnx"
    try:
        precision.quantise(whole, small)
        comparison = precision.compare(bundle, whole, small, threads=os.cpu_count() or 1)
    except ModelBroken as error:
        tell(f"kept in fp32: {error}")
        small.unlink(missing_ok=True)
        return bundle
    figures = f"int8 is {comparison.gain:.2f} times as fast, at a cosine of {comparison.cosine:.4f} to fp32"
    if not comparison.good:
        tell(f"kept in fp32: {figures}")
        small.unlink()
        return bundle
    tell(f"taken: {figures}")
    small.replace(whole)
    return _rewrite(bundle, [AUDIO], precision="int8 audio, fp32 text")


def _halve(bundle: Bundle, loaded: Loaded, tell: Callable[[str], None]) -> Bundle:
    """Return the bundle with a copy of the checkpoint's audio tower, which runs in bfloat16 on a
    GPU.

    bfloat16 begins at the first stage where real sounds keep their vectors. Where there is none,
    the bundle stays as it is.
    """
    from audiosearch.models import onnx_export, precision
    from audiosearch.models.torch_tower import TorchTower

    original = (bundle.directory / MANIFEST).read_text(encoding="utf-8")
    onnx_export.write_checkpoint(loaded, bundle.directory)
    samples = precision.probe(bundle)
    expected = Model(bundle).embed_audio(samples)
    for stage in range(onnx_export.count_stages(loaded)):
        halved = _rewrite(
            bundle,
            CHECKPOINT,
            bf16_from=stage,
            precision=f"bf16 audio from stage {stage}, fp32 text",
        )
        cosine = float((TorchTower(halved).embed(samples) * expected).sum(axis=1).min())
        figures = f"bfloat16 from stage {stage} on is at a cosine of {cosine:.4f} to fp32"
        if cosine >= precision.LEAST_COSINE:
            tell(f"taken: {figures}")
            return halved
        tell(f"not taken: {figures}")
    for name in CHECKPOINT:
        (bundle.directory / name).unlink()
    tell("kept in fp32")
    (bundle.directory / MANIFEST).write_text(original, encoding="utf-8")
    return bundle


def _rewrite(bundle: Bundle, changed: Sequence[str], **values: object) -> Bundle:
    """Return the bundle with other values in its `model.json`, and with the current entries of its
    files.
    """
    place = bundle.directory / MANIFEST
    manifest = json.loads(place.read_text(encoding="utf-8")) | values
    manifest["files"] |= {name: asdict(file_entry(bundle.directory / name)) for name in changed}
    place.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return read_bundle(bundle.directory)


def compare(model: Model, loaded: Loaded | Reference) -> None:
    """Raise `ModelBroken` where the bundle's vectors differ from those of PyTorch."""
    model.check()
    sounds = unlike_sounds(model.bundle)
    texts = [*UNLIKE_TEXTS, ", ".join(UNLIKE_TEXTS * 3)]
    pairs = {
        AUDIO: (model.embed_audio(sounds), loaded.embed_audio(sounds)),
        TEXT: (model.embed_text(texts), np.stack([loaded.embed_text(text) for text in texts])),
    }
    for name, (ours, theirs) in pairs.items():
        apart = float(np.linalg.norm(theirs[0] - theirs[1]))
        off = float(np.linalg.norm(ours - theirs, axis=1).max())
        if not off <= _TOLERANCE * apart:
            raise ModelBroken(
                f"the exported {name} is not what transformers computes: off by {off:.2g} where "
                f"unlike inputs are {apart:.2g} apart"
            )
