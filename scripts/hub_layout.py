"""The writing of a checkpoint in ONNX, in the layout of hubs such as `Xenova/clap-htsat-unfused`.

`python -m scripts.hub_layout CHECKPOINT DIRECTORY` writes `config.json`,
`preprocessor_config.json`, `tokenizer.json` and the two towers in `onnx`: whole, in fp16 and in
int8 (`_fp16`, `_quantized`). As on the hub, vectors are not of unit length, all axes are dynamic,
and the text tower has no mask (`--masked` adds one). `python -m scripts.hub_layout --fixture` makes
the fixture of the tests: `tests/data/hub.zip`, a checkpoint of `MICRO` size with random weights,
and in its `golden.npz` the vectors of some texts and sounds from transformers. The script needs the
extra `clap`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from scripts.random_checkpoint import FULL, TEXTS, make, sounds

FIXTURE = Path(__file__).parents[1] / "tests" / "data" / "hub.zip"
# The text has 11 tokens and more, so the tokenizer cuts it.
LONG = " and ".join(TEXTS * 10)
_OPSET = 14

MICRO: dict[str, Any] = {
    "text": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 400,
        "max_position_embeddings": 120,
    },
    "audio": {
        "num_mel_bins": 32,
        "spec_size": 64,
        "hidden_size": 32,
        "patch_embeds_hidden_size": 4,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 4],
        "window_size": 2,
        "mlp_ratio": 1.0,
    },
    "projection_dim": 16,
    "extractor": {
        "feature_size": 32,
        "sampling_rate": 16_000,
        "hop_length": 160,
        "fft_window_size": 512,
        "max_length_s": 1,
        "frequency_max": 7_000,
    },
}
"""Small enough to be committed."""


def write(checkpoint: Path, directory: Path, *, masked: bool = False, lower: bool = True) -> None:
    """Write a checkpoint's directory in the layout."""
    import torch
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    clap = ClapModel.from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    extractor = ClapFeatureExtractor.from_pretrained(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    (directory / "onnx").mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(checkpoint / name, directory / name)
    tokenizer.backend_tokenizer.save(str(directory / "tokenizer.json"))

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.clap = (
                clap  # the export keeps a module's own weights as weights; others become constants
            )

    class Audio(Tower):
        def forward(self, input_features: Any) -> Any:
            longer = torch.zeros((input_features.shape[0], 1), dtype=torch.bool)
            kind = clap.audio_projection.linear1.weight.dtype
            pooled = clap.audio_model(input_features=input_features.to(kind), is_longer=longer)
            return clap.audio_projection(pooled.pooler_output).float()

    class Text(Tower):
        def forward(self, input_ids: Any, attention_mask: Any = None) -> Any:
            pooled = clap.text_model(input_ids=input_ids, attention_mask=attention_mask)
            return clap.text_projection(pooled.pooler_output).float()

    frames = 1 + extractor.nb_max_samples // extractor.hop_length
    picture = torch.zeros((2, 1, frames, extractor.feature_size))
    ids = torch.tensor([tokenizer("the sound of rain")["input_ids"]] * 2)
    texts = {"input_ids": ids} | ({"attention_mask": torch.ones_like(ids)} if masked else {})
    axes = {"input_features": ["audio_batch_size", "num_channels", "height", "width"]}
    axes |= {name: ["text_batch_size", "sequence_length"] for name in texts}
    places = []
    for suffix in ("", "_fp16") if lower else ("",):
        if suffix:
            clap.half()
        for name, tower, inputs in (
            ("audio", Audio(), {"input_features": picture}),
            ("text", Text(), texts),
        ):
            place = directory / "onnx" / f"{name}_model{suffix}.onnx"
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    tower,
                    tuple(inputs.values()),
                    str(place),
                    input_names=list(inputs),
                    output_names=[f"{name}_embeds"],
                    dynamic_axes={k: dict(enumerate(axes[k])) for k in inputs}
                    | {f"{name}_embeds": {0: "batch_size"}},
                    opset_version=_OPSET,
                    dynamo=False,
                )
            if not suffix:
                places.append(place)
    if lower:
        for place in places:
            _quantise(place, place.with_name(f"{place.stem}_quantized.onnx"))


def _quantise(source: Path, target: Path) -> None:
    """Write the graph with int8 weights, with one scale for each matrix, as the layout's own script
    does.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        weight_type=QuantType.QUInt8,
        extra_options={"DefaultTensorType": 1, "MatMulConstBOnly": True},
    )


def golden(checkpoint: Path, target: Path) -> None:
    """Write the vectors of `sounds` and texts from transformers' own public calls."""
    import torch
    from transformers import ClapModel, ClapProcessor

    clap = ClapModel.from_pretrained(checkpoint).eval()
    processor = ClapProcessor.from_pretrained(checkpoint)
    extractor = processor.feature_extractor
    windows = sounds(extractor.nb_max_samples, extractor.sampling_rate)
    features = extractor(list(windows), sampling_rate=extractor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        audio = clap.get_audio_features(**features).pooler_output.numpy()
        text = []
        for line in [*TEXTS, LONG]:
            tokens = processor.tokenizer(line, truncation=True, max_length=77, return_tensors="pt")
            text.append(clap.get_text_features(**tokens).pooler_output.numpy()[0])
    np.savez_compressed(
        target,
        features=features["input_features"][
            :4, 0, ::10
        ].numpy(),  # each tenth frame of the first four
        audio=audio / np.linalg.norm(audio, axis=1, keepdims=True),
        text=np.array(text) / np.linalg.norm(text, axis=1, keepdims=True),
    )


def fixture() -> None:
    """Make `tests/data/hub.zip`: `micro` in the layout of hubs, and of `masked` the tower that
    differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make(work / "checkpoint", MICRO)
        write(work / "checkpoint", work / "hub" / "micro")
        write(work / "checkpoint", work / "masked", masked=True, lower=False)
        place = work / "hub" / "masked" / "onnx" / "text_model.onnx"
        place.parent.mkdir(parents=True)
        (work / "masked" / "onnx" / place.name).replace(place)
        golden(work / "checkpoint", work / "hub" / "golden.npz")
        FIXTURE.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(FIXTURE, "w", zipfile.ZIP_LZMA) as packed:
            for file in sorted((work / "hub").rglob("*.*")):
                entry = zipfile.ZipInfo(
                    str(file.relative_to(work / "hub"))
                )  # of 1980, whenever made
                packed.writestr(entry, file.read_bytes(), zipfile.ZIP_LZMA)
    print(f"{FIXTURE}: {FIXTURE.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, nargs="?", help="default: FULL, random weights")
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--masked", action="store_true")
    parser.add_argument("--fixture", action="store_true")
    args = parser.parse_args()
    if args.fixture:
        fixture()
        return
    if not args.checkpoint.exists():
        make(args.checkpoint, FULL)
    write(args.checkpoint, args.directory, masked=args.masked)
    print(json.dumps({p.name: p.stat().st_size for p in sorted(args.directory.rglob("*.*"))}))


if __name__ == "__main__":
    main()
