"""Small files of MS-CLAP with random weights and the names of the originals, for machines without a
real one: each with a `tokenizer.json` beside it, and sharp enough to show a mistake (see
`scripts.random_checkpoint`).

`python -m scripts.random_msclap FOLDER 2023` writes `FOLDER/small 2023.pth`; then `audiosearch models
add "FOLDER/small 2023.pth" --tokenizer FOLDER`, or `audiosearch train --from` it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from scripts.random_checkpoint import TEXTS, UNLIKE, sounds

SIZE = 32  # of an embedding
_STEP = 1.3
_MOST_STEPS = 40


def make(folder: Path, version: str, *, seed: int = 0) -> Path:
    """Write the file of a version, ``2022`` or ``2023``, and its tokenizer. Return the file."""
    import torch
    from transformers import (
        BertConfig,
        BertModel,
        ClapAudioConfig,
        ClapAudioModel,
        GPT2Config,
        GPT2Model,
    )

    from audiosearch.models import msclap_file, msclap_towers
    from audiosearch.models.frontend import log_mel
    from audiosearch.models.msclap import VERSIONS, _tokenizer

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder, version)
    tokens = _tokenizer(version, VERSIONS[version], str(folder), lambda step: None)
    vocabulary = tokens.get_vocab_size()
    if version == "2022":
        base: Any = msclap_towers.Cnn14(64, (4, 4, 8, 8, 8, 32))
        width = 32
        text: Any = BertModel(
            BertConfig(
                vocab_size=vocabulary,
                hidden_size=64,
                num_hidden_layers=1,
                intermediate_size=32,
                num_attention_heads=1,
            ),
            add_pooling_layer=False,
        )
    else:
        base = ClapAudioModel(
            ClapAudioConfig(
                num_mel_bins=64,
                spec_size=256,
                hidden_size=64,
                patch_embeds_hidden_size=8,
                depths=[1, 1, 1, 1],
                num_attention_heads=[1, 1, 2, 2],
                window_size=2,
                attn_implementation="eager",
            )
        )
        width = 64
        text = GPT2Model(
            GPT2Config(
                vocab_size=vocabulary,
                n_layer=1,
                n_embd=64,
                n_head=1,
                n_inner=32,
                bos_token_id=1,
                eos_token_id=1,
            )
        )
    towers = (
        msclap_towers.Sounds(base, msclap_towers.Projection(width, SIZE)).eval(),
        msclap_towers.Words(text, msclap_towers.Projection(64, SIZE)).eval(),
    )
    front_end = VERSIONS[version].front_ends[0]
    samples = round(front_end.sampling_rate * VERSIONS[version].window_seconds)
    pictures = torch.from_numpy(log_mel(sounds(samples, front_end.sampling_rate)[:4], front_end))
    with torch.no_grad():
        for tower in towers:
            for weight in tower.parameters():
                if weight.ndim == 1:
                    weight.add_(0.1 * torch.randn_like(weight))
    rows = [torch.tensor([tokens.encode(each).ids]) for each in TEXTS]
    _part(towers[0], lambda: towers[0](pictures[:, None]))
    _part(towers[1], lambda: torch.cat([towers[1](row, torch.ones_like(row)) for row in rows]))
    state = {f"audio_encoder.{n}": v for n, v in towers[0].state_dict().items()}
    state = _as_in_the_original(state) if version == "2023" else state
    state |= {f"caption_encoder.{n}": v for n, v in towers[1].state_dict().items()}
    state["audio_encoder.base.fc_audioset.weight"] = torch.zeros(527, width)  # not used
    state["logit_scale"] = torch.tensor(float(np.log(1 / 0.07)))
    file = folder / f"small {version}.pth"
    msclap_file.write_file(file, state)
    return file


def _write_tokenizer(folder: Path, version: str) -> None:
    """BERT's, which mini has too; of GPT-2's kind one of a few words."""
    if version == "2022":
        from audiosearch.models.registry import find_bundle

        (folder / "tokenizer.json").write_bytes(
            (find_bundle("mini") / "tokenizer.json").read_bytes()
        )
        return
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    # Number 0 is never a text's last: the original counts others to find it.
    special = ["!", "<|endoftext|>"]
    trained.train_from_iterator([*TEXTS] * 2, vocab_size=380, special_tokens=special)
    trained.save(str(folder / "tokenizer.json"))


def _part(tower: Any, run: Any) -> None:
    """Enlarge the tower's matrices, and centre its last norm, until the inputs' vectors part."""
    import torch

    matrices = [weight for weight in tower.parameters() if weight.ndim > 1]
    norms = [m for m in tower.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    raw: list[Any] = []
    with torch.no_grad(), _recorded(tower.projection, raw):
        for _ in range(_MOST_STEPS):
            # Batch norms count these inputs, as training would; else values grow from layer to layer.
            _count(norms, run)
            raw.clear()
            run()
            vectors = torch.cat(raw)
            centre = vectors.mean(0)
            units = torch.nn.functional.normalize(vectors - centre, dim=-1)
            if float((units @ units.T).fill_diagonal_(-1.0).max()) < UNLIKE:
                tower.projection.layer_norm.bias.sub_(centre)
                return
            for weight in matrices:
                weight.mul_(_STEP)
    raise RuntimeError("unlike inputs stay alike")


def _count(norms: list[Any], run: Any) -> None:
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    run()
    for norm in norms:
        norm.eval()
        norm.momentum = 0.1


def _recorded(module: Any, outputs: list[Any]) -> Any:
    """The context in which a module's outputs are appended to a list."""
    from contextlib import contextmanager

    @contextmanager
    def recording() -> Any:
        hook = module.register_forward_hook(lambda _, __, output: outputs.append(output))
        try:
            yield
        finally:
            hook.remove()

    return recording()


_ORIGINAL = (
    ("base.audio_encoder.", "base.htsat."),
    (".batch_norm.", ".bn0."),
    (".layernorm_before.", ".norm1."),
    (".layernorm_after.", ".norm2."),
    (".attention.output.dense.", ".attn.proj."),
    (".attention.self.", ".attn."),
    (".intermediate.dense.", ".mlp.fc1."),
    (".output.dense.", ".mlp.fc2."),
)


def _as_in_the_original(state: dict[str, Any]) -> dict[str, Any]:
    """HTS-AT under the names of its own code, where query, key and value are one matrix."""
    import torch

    made: dict[str, Any] = {}
    joined: dict[str, list[Any]] = {}
    for own, value in state.items():
        name = own
        for before, after in _ORIGINAL:
            name = name.replace(before, after)
        for part in ("query", "key", "value"):
            if f".attn.{part}." in name:
                joined.setdefault(name.replace(f".{part}.", ".qkv."), []).append(value)
                break
        else:
            made[name] = value
    return made | {name: torch.cat(parts) for name, parts in joined.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("version", choices=["2022", "2023"])
    args = parser.parse_args()
    print(make(args.folder, args.version))


if __name__ == "__main__":
    main()
