"""Write a bundle from a run: `model.json`, `audio.onnx` (weights in fp16), `text.onnx` (in int8),
`tokenizer.json`.

`python -m scripts.mini.export --work DIR --run NAME --to DIR --revision TEXT`. A run of `retell` has
a text tower alone: its sounds are heard by the `--audio` bundle's tower, copied as it is, and libraries
of that bundle keep their vectors (`vectors_of`). A run of `train` on vectors of a finished text tower
has an audio tower alone: its texts are those of the `--words` bundle, copied as they are, and
libraries need new vectors.

Text weights are int8 with a scale for each channel (each row of the word table), multiplied out to
fp32 when the graph is loaded. Unlike dynamic quantisation, whose scales span a batch, a text then
has one vector whatever it is batched with.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from audiosearch.models.bundle import file_entry, read_bundle
from audiosearch.training.checkpoint import part_of
from audiosearch.training.mini_export import (
    SMALLEST_LOWERED,
    TextTower,
    export_audio,
    export_text,
    halve_weights,
)
from scripts.mini.frontend import FFT, HOP, RATE, STUDENT_MELS
from scripts.mini.student import GROWN, SMALL, AudioTower, TextHead, load_audio, load_text
from scripts.mini.texts import MiniLM

MAX_TOKENS = 128

__all__ = ["TextTower", "export_audio", "export_text", "halve_weights"]


def load_run(path: Path) -> tuple[AudioTower, TextHead | None]:
    """Both towers of a checkpoint of `train`, with averaged weights; no head where texts were
    finished."""
    average = torch.load(path, map_location="cpu", weights_only=True)["average"]
    tower = AudioTower(GROWN if "tower.bands" in average else SMALL)
    tower.load_state_dict(part_of(average, "tower."))
    said = part_of(average, "text.")
    if not said:
        return tower.eval(), None
    head = TextHead()
    head.load_state_dict(said)
    return tower.eval(), head.eval()


@torch.no_grad()
def between(before: AudioTower, after: AudioTower, share: float) -> AudioTower:
    """A tower that part of the way from one to the other: of one shape, norms folded (`load_audio`)."""
    mixed = {
        name: value.lerp(after.state_dict()[name], share) if value.is_floating_point() else value
        for name, value in before.state_dict().items()
    }
    before.load_state_dict(mixed)
    return before


def load_words(path: Path, language: nn.Module, before: TextHead, share: float) -> TextHead:
    """The head of a checkpoint of `retell`, with averaged weights; those of MiniLM go to `language`.

    With a `share` below one, both are that part of the way from where the run began: fine-tuned
    weights and those before them lie in one valley, and between them less is forgotten (Wortsman et
    al. 2021, "Robust fine-tuning of zero-shot models").
    """
    average = torch.load(path, map_location="cpu", weights_only=True)["average"]
    for module, prefix in ((language, "language."), (before, "head.")):
        mixed = {
            name: value.lerp(average[prefix + name], share) if value.is_floating_point() else value
            for name, value in module.state_dict().items()
        }
        module.load_state_dict(mixed)
    return before.eval()


def quantised(matrix: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """(int8 matrix, fp32 scales along `axis` with the other axis kept at 1): matrix = int8 * scale,
    within half a step."""
    scale = np.maximum(np.abs(matrix).max(axis=1 - axis, keepdims=True), 1e-12) / 127
    return np.rint(matrix / scale).astype(np.int8), scale.astype(np.float32)


def quantise_weights(source: Path, target: Path) -> None:
    """Store every large matrix of a graph in int8 with scales; arithmetic stays fp32."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    large = {t.name: t for t in graph.initializer if len(t.dims) == 2}
    large = {n: t for n, t in large.items() if np.prod(t.dims) >= SMALLEST_LOWERED}
    nodes: list[Any] = []
    done: dict[str, tuple[str, str]] = {}

    def store(name: str, axis: int) -> tuple[str, str]:
        if name not in done:
            whole, scale = quantised(numpy_helper.to_array(large[name]), axis)
            done[name] = (f"{name}.int8", f"{name}.scale")
            graph.initializer.append(numpy_helper.from_array(whole, done[name][0]))
            graph.initializer.append(numpy_helper.from_array(scale, done[name][1]))
        return done[name]

    def spread(name: str, whole: str, scale: str) -> None:
        nodes.append(helper.make_node("Cast", [whole], [f"{name}.float"], to=1))
        nodes.append(helper.make_node("Mul", [f"{name}.float", scale], [name]))

    multiplied: set[str] = set()
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in large:
            # Rows are picked first: the table is never spread out.
            whole, scale = store(node.input[0], 0)
            out = node.output[0]
            nodes.append(helper.make_node("Gather", [whole, node.input[1]], [f"{out}.rows"]))
            nodes.append(helper.make_node("Gather", [scale, node.input[1]], [f"{out}.scales"]))
            spread(out, f"{out}.rows", f"{out}.scales")
            continue
        for name in node.input:
            if name in large and name not in multiplied:
                transposed = any(a.name == "transB" and a.i for a in node.attribute)
                whole, scale = store(name, 0 if transposed else 1)
                spread(name, whole, scale)
                multiplied.add(name)
        nodes.append(node)
    keep = [t for t in graph.initializer if t.name not in done]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(keep)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, target)


FACTS: dict[str, Any] = {
    "format": 1,
    "dimension": 512,
    "front_end": {
        "sampling_rate": RATE,
        "fft_window_size": FFT,
        "hop_length": HOP,
        "feature_size": STUDENT_MELS,
        "frequency_min": 50,
        "frequency_max": 14000,
        "mel_scale": "slaney",
        "norm": "slaney",
        "log": "10*log10(max(power, 1e-10))",
        "floor": 1e-10,
        "offset": 0,
        "scale": 1,
        "window": "hann (periodic)",
        "center": True,
        "pad_mode": "reflect",
        "frames": "whole",
        "padding": "repeatpad",
    },
    "inputs": {
        "audio": "input_features float32 (batch, 1, frames, 64), decibels; scaled inside the graph",
        "text": "input_ids int64 (batch, tokens), attention_mask int64 (batch, tokens)",
    },
    "max_tokens": MAX_TOKENS,
    "licence": "Apache-2.0",
}


def describe(root: Path, name: str, revision: str, precision: str, choices: dict[str, Any]) -> None:
    """Write `model.json`: facts, choices and the files' checksums."""
    names = ("audio.onnx", "text.onnx", "tokenizer.json")
    files = {name: asdict(file_entry(root / name)) for name in names}
    said = {"name": name, "revision": revision, "precision": precision}
    facts = {**FACTS, **said, **choices, "files": files}
    (root / "model.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def write_ears(args: argparse.Namespace) -> TextHead | None:
    """`audio.onnx` from a run of `train`; the head of its texts, if it has one."""
    tower, head = load_run(args.work / args.run / "last.pt")
    path = args.to / "audio.onnx"
    export_audio(tower, path)
    if args.words and args.share != 1:
        earlier = load_audio(args.words / "audio.onnx")
        export_audio(between(earlier, load_audio(path), args.share), path)
    halve_weights(path)
    return head


def vectors_of(root: Path) -> dict[str, str]:
    """What libraries whose sounds the bundle in `root` heard name as their model."""
    bundle = read_bundle(root)
    heard = bundle.identity
    return {
        "revision": heard.revision,
        "weights": heard.weights,
        "audio": bundle.files["audio.onnx"].blake2b,
    }


def write_words(language: MiniLM, head: TextHead, args: argparse.Namespace) -> None:
    """`text.onnx` and `tokenizer.json`."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "text.onnx"
        export_text(language.model, head, whole)
        if args.fp32_text:
            shutil.copy(whole, args.to / "text.onnx")
        else:
            quantise_weights(whole, args.to / "text.onnx")
    tokenizer = (language.root / "tokenizer.json").read_text(encoding="utf-8")
    (args.to / "tokenizer.json").write_text(tokenizer, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", default="mini")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--name", default="mini")
    parser.add_argument("--revision", default="1")
    parser.add_argument("--template", default="this is a sound of {}")
    parser.add_argument("--window", type=float, default=5.0)
    parser.add_argument("--hop", type=float, default=2.5)
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--audio", type=Path, help="bundle that hears for a run of `retell`")
    other.add_argument(
        "--words", type=Path, help="bundle whose texts a run of `train` listened for"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of what the run has changed")
    parser.add_argument("--fp32-text", action="store_true", help="leave the text tower in fp32")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    args.to.mkdir(parents=True, exist_ok=True)
    choices: dict[str, Any] = {
        "window_seconds": args.window,
        "hop_seconds": args.hop,
        "query_template": args.template,
    }
    if args.words:
        write_ears(args)
        for name in ("text.onnx", "tokenizer.json"):
            shutil.copy(args.words / name, args.to / name)
    elif args.audio:
        shutil.copy(args.audio / "audio.onnx", args.to / "audio.onnx")
        choices["vectors_of"] = vectors_of(args.audio)
        language, earlier = MiniLM(), load_text(args.audio / "text.onnx")
        learnt = load_words(args.work / args.run / "last.pt", language.model, earlier, args.share)
        write_words(language, learnt, args)
    else:
        head = write_ears(args)
        if head is None:
            parser.error(f"run {args.run} has no texts of its own: name a bundle with --words")
        write_words(MiniLM(), head, args)
    precision = "fp16 audio weights, " + ("fp32 text" if args.fp32_text else "int8 text weights")
    describe(args.to, args.name, args.revision, precision, choices)
    size = sum(path.stat().st_size for path in args.to.iterdir()) / 1e6
    print(f"{args.to}: {size:.1f} MB")


if __name__ == "__main__":
    main()
