"""Are the towers of `models.msclap` those of the package `msclap`? Front end and vectors of both
versions on random weights, computed by the package itself in an environment of its own.

`python -m scripts.training.msclap_check --env DIR` makes it (msclap 1.3 wants numpy < 2 and
transformers < 5; with PyTorch 7 GB), and prints how far apart both are. The package's text towers
are downloads: here they have random weights, two layers and the sizes of the originals. It is not part of
`.ci/run`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ["msclap==1.3.*", "numpy<2", "transformers<5", "torch==2.9.1", "torchaudio==2.9.*"]

# torchlibrosa convolves with float32 coefficients. In bands that a pure tone leaves nearly empty,
# the noise of that shows; our front end transforms in float64. The vectors must agree all the same.
ROUNDED = "the package's as it runs, in float32"

# Runs in the environment: writes weights, pictures and vectors of the package to a folder.
ORACLE = """
import sys
folder, version = sys.argv[1:]
import librosa, numpy as np, torch, yaml, msclap, importlib.util
from pathlib import Path
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model
from msclap.models import clap as towers
torch.set_num_threads(1)
torch.manual_seed(0)
def text(name):
    if name == "gpt2":
        return GPT2Model(GPT2Config(n_layer=2))
    return BertModel(BertConfig(num_hidden_layers=2))
towers.AutoModel.from_pretrained = text
args = yaml.safe_load((Path(msclap.__file__).parent / f"configs/config_{version}.yml").read_text())
made = towers.CLAP(args["audioenc_name"], args["sampling_rate"], args["window_size"], args["hop_size"],
    args["mel_bins"], args["fmin"], args["fmax"], args["num_classes"], args["out_emb"],
    args["text_model"], args["transformer_embed_dim"], args["d_proj"]).eval()
with torch.no_grad():
    for name, weight in made.named_parameters():
        if not weight.requires_grad:
            continue  # the filters
        # Freshly initialised towers give all inputs nearly one vector: that would hide mistakes.
        if weight.ndim > 1:
            weight.mul_(1.6 if "conv_block" not in name else 2.4)
        else:
            weight.add_(0.1 * torch.randn_like(weight))
    for name, value in made.named_buffers():
        if name.endswith("running_mean"):
            value.copy_(-30.0 + torch.randn_like(value) if "bn0" in name else 0.1 * torch.randn_like(value))
        if name.endswith("running_var"):
            value.copy_(150.0 + torch.rand_like(value) if "bn0" in name else 0.5 + torch.rand_like(value))
inputs = np.load(f"{folder}/inputs.npz")
windows = torch.from_numpy(inputs["windows"])
base = made.audio_encoder.base
base = getattr(base, "htsat", base)
def run():
    audio = made.audio_encoder(windows)[0]
    rows = []
    for number in range(int(inputs["texts"])):
        ids = torch.from_numpy(inputs[f"ids{number}"])[None]
        # As the package does: padded to the full length.
        padded = torch.zeros(1, args["text_len"], dtype=torch.long)
        padded[:, : ids.shape[1]] = ids
        mask = (torch.arange(args["text_len"]) < ids.shape[1]).long()[None]
        rows.append(made.caption_encoder({"input_ids": padded, "attention_mask": mask})[0])
    return audio, torch.stack(rows)
with torch.no_grad():
    # What all vectors have in common is taken out: else they would hardly differ.
    for encoder, vectors in zip((made.audio_encoder, made.caption_encoder), run()):
        encoder.projection.layer_norm.bias.sub_(vectors.mean(0))
    pictures = base.logmel_extractor(base.spectrogram_extractor(windows))[:, 0]
    audio, text = run()
torch.save({"model": made.state_dict()}, f"{folder}/weights.pth")
# The same modules in float64. The coefficients of the transform are the package's own before it
# rounds them to float32: rounded ones leave noise in the quiet bands too.
spectrogram, logmel = base.spectrogram_extractor.double(), base.logmel_extractor.double()
stft = spectrogram.stft
hann = librosa.filters.get_window("hann", stft.n_fft, fftbins=True)
for part, weights in ((stft.conv_real, stft.W.real), (stft.conv_imag, stft.W.imag)):
    exact = torch.from_numpy((weights[:, : stft.n_fft // 2 + 1] * hann[:, None]).T.copy())[:, None]
    assert (exact - part.weight).abs().max() < 1e-6
    part.weight.data = exact
with torch.no_grad():
    exact_pictures = logmel(spectrogram(windows.double()))[:, 0]
np.savez(f"{folder}/oracle.npz", pictures=pictures.numpy(), exact_pictures=exact_pictures.numpy(),
    audio=audio.numpy(), text=text.numpy())
"""


def compare(python: Path, version: str, folder: Path) -> dict[str, float]:
    """Run both and return the distances: front end in dB, vectors as parts of the distance of unlike
    inputs."""
    from audiosearch.models import msclap_file, msclap_towers
    from audiosearch.models.frontend import log_mel
    from audiosearch.models.msclap import VERSIONS, _filters_of
    from scripts.random_checkpoint import sounds

    facts = VERSIONS[version]
    windows = sounds(round(44_100 * facts.window_seconds), 44_100)
    rng = np.random.default_rng(0)
    ids = [rng.integers(1, 30_000, size) for size in (4, 7, 12, 20)]
    named: dict[str, Any] = {f"ids{number}": row for number, row in enumerate(ids)}
    np.savez(folder / "inputs.npz", windows=windows, texts=len(ids), **named)
    subprocess.run([python, "-c", ORACLE, str(folder), version], check=True)
    state = msclap_file.read_file(folder / "weights.pth")
    front_end = _filters_of(state, facts, folder)
    audio, text = msclap_towers.build(state, folder / "weights.pth")
    import torch

    reference = msclap_towers.Reference(audio, text, front_end, None)
    with np.load(folder / "oracle.npz") as theirs, torch.no_grad():
        rows = [torch.from_numpy(row)[None] for row in ids]
        ours = {
            "audio": reference.embed_audio(windows),
            "text": np.concatenate([text(row, torch.ones_like(row)).numpy() for row in rows]),
        }
        pictures = log_mel(windows, front_end)
        made = {
            "front end, dB from the package's in float64": float(
                np.abs(pictures - theirs["exact_pictures"]).max()
            ),
            f"(front end, dB from {ROUNDED})": float(np.abs(pictures - theirs["pictures"]).max()),
        }
        for name, vectors in ours.items():
            right = theirs[name] / np.linalg.norm(theirs[name], axis=1, keepdims=True)
            cosines = (right @ right.T)[~np.eye(len(right), dtype=bool)]
            made[f"{name}: cosine of the most alike"] = float(cosines.max())
            unlike = float(np.sqrt(2 - 2 * min(cosines.max(), 1.0)))
            off = float(np.linalg.norm(vectors - right, axis=1).max())
            made[f"{name}: off, as a part of the distance of unlike inputs"] = off / unlike
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", type=Path, required=True)
    args = parser.parse_args()
    python = args.env / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", args.env], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    bad = False
    for version in ("2022", "2023"):
        with tempfile.TemporaryDirectory() as folder:
            for name, value in compare(python, version, Path(folder)).items():
                print(f"{version}: {name}: {value:.2g}", flush=True)
                if ROUNDED in name:
                    continue
                limit = 1e-4 if "dB" in name else 1e-3 if "off" in name else 1.0
                bad = bad or not value <= limit
    sys.exit(bad)


if __name__ == "__main__":
    main()
