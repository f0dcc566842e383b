"""Groups that must stay out of training because a sound of sample_library is, or may be, in them.

`python -m scripts.mini.lookalikes --shared ../shared --work DIR --groups FILE --to FILE` adds to
the groups of FILE (a list, or sample_library/manifest.csv) every group with a clip whose teacher
embedding lies within a cosine of 0.86 of one of theirs: the same recording under another name does,
and so do a few that merely sound alike, which costs little.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from scripts.mini.corpus import Clip, open_corpus, read_groups
from scripts.mini.frontend import teacher_features
from scripts.mini.mixtures import SAMPLES
from scripts.mini.teacher import load_quick

NEAR = 0.86


def embed_part(shared: Path, work: Path, part: int, parts: int) -> np.ndarray:
    """(clips, 384) of every `parts`-th clip from `part` on: the first 5 s, short ones repeated."""
    import torch

    torch.set_num_threads(1)
    teacher, kind = load_quick(shared)
    clips, samples = open_corpus(work)
    mine = clips[part::parts]
    out = np.zeros((len(mine), 384), np.float32)
    for start in range(0, len(mine), 16):
        waves = [
            np.resize(samples[c.start : c.start + c.length][:SAMPLES], SAMPLES) / np.float32(32768)
            for c in mine[start : start + 16]
        ]
        features = np.stack([teacher_features(wave) for wave in waves])[:, None]
        with torch.inference_mode():
            heard = teacher(torch.from_numpy(features).to(kind))[1]
        out[start : start + 16] = heard.float().numpy()
    return out


def embed(shared: Path, work: Path, clips: list[Clip], processes: int) -> np.ndarray:
    """(clips, 384) unit vectors about the corpus's mean."""
    out = np.zeros((len(clips), 384), np.float32)
    with ProcessPoolExecutor(processes) as pool:
        parts = [
            pool.submit(embed_part, shared, work, part, processes) for part in range(processes)
        ]
        for part, vectors in enumerate(parts):
            out[part::processes] = vectors.result()
    out -= out.mean(0)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--groups", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    clips, _ = open_corpus(args.work)
    wanted = read_groups(args.groups)
    named = [i for i, clip in enumerate(clips) if clip.group in wanted]
    vectors = embed(args.shared, args.work, clips, args.processes)
    near = (vectors @ vectors[named].T).max(1) > NEAR
    groups = wanted | {clip.group for clip, is_near in zip(clips, near, strict=True) if is_near}
    args.to.write_text("\n".join(sorted(groups)) + "\n", encoding="utf-8")
    print(f"{len(wanted)} groups, with those that sound like them {len(groups)}")


if __name__ == "__main__":
    main()
