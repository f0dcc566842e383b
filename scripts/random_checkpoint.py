"""CLAP checkpoints with random weights, for machines without a real one. They have any size, and
are sharp enough to show a wrong front end, export or tokenizer.

Freshly initialised towers give all inputs nearly one vector (cosines of 0.93 to 0.999), which would
hide any mistake. The script therefore widens their weights, and takes out what all vectors have in
common, until unlike inputs have cosines below 0.5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TEXTS = (
    "a dog barks",
    "heavy rain on a tin roof",
    "someone plays a slow melody on a piano",
    "campfire crackling at night",
)
# The loop ends when all pairs of TEXTS, and of the first four of `sounds`, have cosines below this.
UNLIKE = 0.5
_STEP = 1.3
_MOST_STEPS = 20

FULL: dict[str, Any] = {"text": {}, "audio": {}, "projection_dim": 512, "extractor": {}}
"""The architecture of laion/clap-htsat-unfused: 28 M parameters for sounds, 125 M for texts."""

TINY: dict[str, Any] = {
    "text": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "vocab_size": 400,
        "max_position_embeddings": 120,
    },
    "audio": {
        "num_mel_bins": 32,
        "spec_size": 128,
        "hidden_size": 64,
        "patch_embeds_hidden_size": 8,
        "depths": [2, 2, 2, 2],
        "num_attention_heads": [1, 2, 4, 8],
        "window_size": 2,
    },
    "projection_dim": 24,
    "extractor": {
        "feature_size": 32,
        "sampling_rate": 16_000,
        "hop_length": 160,
        "fft_window_size": 512,
        "max_length_s": 2,
        "frequency_max": 7_000,
    },
}
"""The same architecture at a hundred thousand parameters, for tests."""


def make(directory: Path, size: dict[str, Any], *, fusion: bool = False, seed: int = 0) -> None:
    """Save a checkpoint of `size` (`FULL`, `TINY`) to a directory, in transformers' own form."""
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    torch.manual_seed(seed)
    directory.mkdir(parents=True, exist_ok=True)
    fusing = {"enable_fusion": True, "fusion_type": "aff_2d"} if fusion else {}
    config = ClapConfig(
        text_config=size["text"],
        audio_config={**size["audio"], **fusing},
        projection_dim=size["projection_dim"],
    )
    extractor = ClapFeatureExtractor(
        **{"frequency_min": 50, **size["extractor"]},
        truncation="fusion" if fusion else "rand_trunc",
    )
    tokenizer = _tokenizer(directory)
    clap = ClapModel(config).eval()
    _unsettle(clap)
    pictures = extractor(
        list(sounds(extractor.nb_max_samples, extractor.sampling_rate)),
        sampling_rate=extractor.sampling_rate,
        return_tensors="pt",
    )["input_features"]
    _settle_norm(clap, pictures)
    tokens = tokenizer(list(TEXTS), padding=True, return_tensors="pt")
    quiet = torch.zeros((len(pictures), 1), dtype=torch.bool)
    _part(clap.audio_model, clap.audio_projection, input_features=pictures[:4], is_longer=quiet[:4])
    _part(clap.text_model, clap.text_projection, **tokens)
    clap.save_pretrained(directory)
    extractor.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def sounds(samples: int, rate: int, seed: int = 0) -> np.ndarray:
    """Return (6, samples) float32: noise, a tone, clicks, a falling sweep, then quiet and clipping
    noise.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    clicks = np.zeros(samples)
    clicks[:: rate // 4] = 0.9
    falling = 0.4 * rate * time - 0.19 * rate / time[-1] * time**2
    waves = [
        rng.normal(0.0, 0.1, samples),
        0.5 * np.sin(2 * np.pi * 440.0 * time),
        clicks,
        np.sin(2 * np.pi * falling),
        rng.normal(0.0, 1e-4, samples),
        np.clip(rng.normal(0.0, 1.0, samples), -1.0, 1.0),
    ]
    return np.stack(waves).astype(np.float32)


def _tokenizer(directory: Path) -> Any:
    """Return a byte-level BPE of a few words, in the form of RoBERTa's."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import AutoTokenizer, RobertaTokenizerFast

    trained = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator([*TEXTS] * 2, vocab_size=380, special_tokens=special)
    trained.save_model(str(directory))
    made = RobertaTokenizerFast(str(directory / "vocab.json"), str(directory / "merges.txt"))
    made.save_pretrained(directory)
    return AutoTokenizer.from_pretrained(directory)


def _unsettle(clap: Any) -> None:
    """Move the values that initialisation leaves at 0 or 1, so that a lost bias or scale shows."""
    import torch

    with torch.no_grad():
        for weight in clap.parameters():
            if weight.ndim == 1:
                weight.add_(0.1 * torch.randn_like(weight))


def _settle_norm(clap: Any, pictures: Any) -> None:
    """Set the running statistics of the first batch norm to values such as training leaves."""
    import torch

    norm = clap.audio_model.audio_encoder.batch_norm
    bands = pictures[:, 0].reshape(-1, pictures.shape[-1])
    with torch.no_grad():
        norm.running_mean.copy_(bands.mean(0))
        norm.running_var.copy_(bands.var(0))


def _part(tower: Any, projection: Any, **inputs: Any) -> None:
    """Enlarge the tower's matrices, and centre the projection, until the inputs' vectors part."""
    import torch

    matrices = [weight for weight in tower.parameters() if weight.ndim > 1]
    with torch.no_grad():
        for _ in range(_MOST_STEPS):
            vectors = projection(tower(**inputs).pooler_output)
            vectors -= vectors.mean(0)
            units = torch.nn.functional.normalize(vectors, dim=-1)
            if float((units @ units.T).fill_diagonal_(-1.0).max()) < UNLIKE:
                centre = projection(tower(**inputs).pooler_output).mean(0)
                projection.linear2.bias.sub_(centre)
                return
            for weight in matrices:
                weight.mul_(_STEP)
    raise RuntimeError("unlike inputs stay alike")
