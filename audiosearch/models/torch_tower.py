"""The audio tower of a compiled checkpoint on torch, with its front end. The indexer uses a GPU
through it.

Samples go to the device, which makes the log-mel pictures. From one of the tower's stages on
(`Bundle.bf16_from`) its matrices are multiplied in bfloat16; everything else stays in float32. The
compiler chose the stage with real sounds: the first stages are the sensitive ones.

Windows of many threads go through together, always the same number at a time; silence fills the
rest. A device chooses its kernels by the shape of a batch, so with other sizes a window's bits
would depend on its neighbours. The module imports torch and transformers, so only `models.compile`
and the indexer import it.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from audiosearch.models import onnx_export
from audiosearch.models.bundle import CHECKPOINT, Bundle, FrontEnd, whole_file
from audiosearch.models.frontend import mel_matrix
from audiosearch.models.together import Together

# A batch has enough windows to fill a GPU; on a CPU more than one are no faster.
_BATCH = {"cuda": 64, "cpu": 1}


class TorchTower:
    """The tower: it turns windows of sound into unit vectors. Several threads may use it at once.

    `device` is ``cuda`` or ``cpu`` (default: a GPU where there is one). `batch` is the number of
    windows at a time. Raises `ModelBroken` where the bundle's copy of the checkpoint cannot be
    loaded.
    """

    takes_samples = True

    def __init__(
        self, bundle: Bundle, *, device: str | None = None, batch: int | None = None
    ) -> None:
        self._bundle = bundle
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._batch = batch or _BATCH[self.device]
        self._tower = _load(bundle).to(self.device)
        self._mel = torch.from_numpy(mel_matrix(bundle.front_end)).to(self.device)
        self._together: Together[np.ndarray] = Together(self._run, self._batch)

    def embed(self, windows: np.ndarray) -> np.ndarray:
        """Return the unit vectors (n, d) of windows (n, window_samples), both float32, full scale
        at 1.

        A row is NaN where the tower gives no finite vector.
        """
        return self._together.embed(list(windows))

    def _run(self, windows: list[np.ndarray]) -> np.ndarray:
        filled = np.zeros((self._batch, self._bundle.window_samples), dtype=np.float32)
        filled[: len(windows)] = windows
        with torch.inference_mode():
            samples = torch.from_numpy(filled).to(self.device)
            pictures = log_mel(samples, self._mel, self._bundle.front_end)
            vectors: np.ndarray = self._tower(pictures[:, None]).cpu().numpy()
        vectors[~np.isfinite(vectors).all(axis=1)] = np.nan
        return vectors[: len(windows)]


def log_mel(samples: Any, mel: Any, front_end: FrontEnd) -> Any:
    """Return the pictures (n, frames, mels) of `samples` (n, samples), both float32, on their
    device.

    The pictures are those of `models.frontend.log_mel`.

    `mel` is (bins, mels), from `models.frontend.mel_matrix`.
    """
    size = front_end.fft_window_size
    # The transform is in float64, as there: the noise of a float32 transform shows where a pure
    # tone leaves nothing.
    hann = torch.hann_window(size, dtype=torch.float64, device=samples.device)
    padded = functional.pad(samples.double()[:, None], (size // 2, size // 2), mode="reflect")
    framed = padded[:, 0].unfold(1, size, front_end.hop_length)
    framed = framed[:, : front_end.frame_count(samples.shape[1])]
    spectra = torch.view_as_real(torch.fft.rfft(framed * hann))
    power = spectra.square().sum(-1).float() @ mel
    decibels = power.clamp_min(front_end.floor).log10() * 10.0
    return (decibels + front_end.offset) * front_end.scale


class _Halved(torch.nn.Module):  # type: ignore[misc]
    """A linear layer in bfloat16. With `inside`, an activation and another such layer follow."""

    def __init__(self, whole: Any, inside: bool) -> None:
        super().__init__()
        self.register_buffer("weight", whole.weight.detach().bfloat16())
        bias = None if whole.bias is None else whole.bias.detach().bfloat16()
        self.register_buffer("bias", bias)
        self.inside = inside

    def forward(self, x: Any) -> Any:
        product = functional.linear(x.bfloat16(), self.weight, self.bias)
        return product if self.inside else product.float()


def _load(bundle: Bundle) -> Any:
    for name in CHECKPOINT:
        whole_file(bundle, name)
    clap = onnx_export.load_audio(bundle.directory)
    for name, layer in list(clap.named_modules()):
        stage = re.search(r"encoder\.layers\.(\d+)\.blocks\.", name)
        first = bundle.bf16_from
        if isinstance(layer, torch.nn.Linear) and stage and first is not None:
            parent, _, last = name.rpartition(".")
            if int(stage[1]) >= first:
                halved = _Halved(layer, parent.endswith("intermediate"))
                setattr(clap.get_submodule(parent), last, halved)
    return onnx_export.AudioTower(clap, bundle.front_end.frame_count(bundle.window_samples))
