"""The speed and the memory of indexing with mini, for long recordings and short effects.

    python -m scripts.bench.indexing speed    ten-minute wav files, and a thousand short wav, flac, mp3
    python -m scripts.bench.indexing stages   one core: what each stage of the pipeline costs alone
    python -m scripts.bench.indexing memory   a ten-hour wav and many short files; `--plot FILE.svg`

Sounds are pieces of sample_library, repeated at other levels so that no two files have one content.
The benchmark measures the installed command as a whole process; memory is PSS summed over the
process tree.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from scripts.bench import measure
from scripts.figures import COMMAND, SAMPLES
from scripts.processes import watched

RATE = 48_000


def pieces() -> np.ndarray:
    """Return all sounds of sample_library end to end, mono, read as if at 48 kHz."""
    sounds = []
    for path in sorted(SAMPLES.rglob("*.flac")) + sorted(SAMPLES.rglob("*.ogg")):
        samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
        sounds.append(samples.mean(axis=1))
    return np.concatenate(sounds)


def long_files(folder: Path, count: int, minutes: float) -> None:
    """Write stereo wav files of 16 bits."""
    folder.mkdir(parents=True)
    base, rng = pieces(), np.random.default_rng(0)
    for number in range(count):
        own = np.roll(base, 7919 * number)
        stereo = np.stack([own, np.roll(own, 20)], axis=1) * rng.uniform(0.3, 0.9)
        left = round(minutes * 60 * RATE)
        with soundfile.SoundFile(folder / f"{number}.wav", "w", RATE, 2, "PCM_16") as file:
            while left:
                file.write(stereo[:left])
                left -= len(stereo[:left])


def short_files(folder: Path, count: int) -> None:
    """Write effects of 0.5 to 6 s, in turn wav, flac and mp3, at 44.1 and 48 kHz."""
    base, rng = pieces(), np.random.default_rng(1)
    for number in range(count):
        kind = ("wav", "flac", "mp3")[number % 3]
        rate = (44_100, 48_000)[number // 3 % 2]
        length = round(float(rng.uniform(0.5, 6)) * rate)
        start = int(rng.integers(0, len(base) - length))
        target = folder / f"{number // 500:03}" / f"{number:06}.{kind}"
        target.parent.mkdir(parents=True, exist_ok=True)
        level = rng.uniform(0.3, 0.9) / max(1e-3, float(np.abs(base[start : start + length]).max()))
        soundfile.write(target, base[start : start + length] * level, rate)


def index(folder: Path, library: Path) -> float:
    """Return the seconds that `audiosearch index` took."""
    began = time.perf_counter()
    subprocess.run([COMMAND, "index", "-L", library, folder], check=True, capture_output=True)
    return time.perf_counter() - began


def speed(work: Path, rounds: int) -> None:
    long_files(work / "long", 6, 10)
    short_files(work / "short", 1_200)
    cores = os.cpu_count() or 1
    rows = []
    for name, folder, count in (
        ("6 wav of 10 minutes, 48 kHz stereo", work / "long", 6),
        ("1,200 wav, flac, mp3 of 0.5-6 s", work / "short", 1_200),
    ):
        seconds = sum(soundfile.info(path).duration for path in folder.rglob("*.*"))
        took = statistics.median(index(folder, work / f"{folder.name}-{r}") for r in range(rounds))
        rows.append(
            [
                name,
                f"{took:.1f}",
                f"{seconds / took:.0f}",
                f"{seconds / took / cores:.0f}",
                f"{seconds / 60 / took:.2f}",
                f"{count / took:.1f}",
            ]
        )
    head = ["", "s", "x realtime", "per core", "hours of audio per minute", "sounds/s"]
    measure.table(head, rows)


def stages(work: Path, rounds: int) -> None:
    """Print the time of each stage alone, on one thread, for ten minutes of 48 kHz stereo."""
    os.environ["OMP_NUM_THREADS"] = "1"
    from audiosearch.audio.decode import open_audio
    from audiosearch.audio.resample import mono, resampled
    from audiosearch.audio.windows import cut_windows
    from audiosearch.models.frontend import log_mel
    from audiosearch.models.registry import load_model

    long_files(work / "long", 1, 10)
    path = str(work / "long" / "0.wav")
    model = load_model()
    bundle = model.bundle
    rate = bundle.front_end.sampling_rate

    def decode() -> list[np.ndarray]:
        with open_audio(path) as stream:
            return list(stream.blocks())

    blocks = decode()
    low = list(resampled((mono(block) for block in blocks), RATE, rate))
    windows = [
        w.samples for w in cut_windows(iter(low), bundle.window_samples, bundle.hop_samples, rate)
    ]
    features = log_mel(np.stack(windows[:16]), bundle.front_end)
    calls = {
        "decode": (decode, 1.0),
        "mono, resample": (lambda: list(resampled((mono(b) for b in blocks), RATE, rate)), 1.0),
        "log-mel": (lambda: log_mel(np.stack(windows[:16]), bundle.front_end), len(windows) / 16),
        "audio tower": (lambda: model.embed_features(features), len(windows) / 16),
    }
    medians = measure.times([call for call, _ in calls.values()], rounds)
    rows, total = [], 0.0
    for (name, (_, times)), seconds in zip(calls.items(), medians, strict=True):
        took = statistics.median(seconds) * times
        total += took
        rows.append([name, f"{took:.3f}", f"{600 / took:.0f}"])
    rows.append(["all, one after the other", f"{total:.3f}", f"{600 / total:.0f}"])
    measure.table(["stage, 10 minutes of sound", "s", "x realtime"], rows)


def memory(work: Path, hours: float, files: int, plot: Path | None) -> None:
    long_files(work / "long", 1, hours * 60)
    short_files(work / "short", files)
    rows, curves = [], list[tuple[str, list[tuple[float, float]]]]()
    for name in ("long", "short"):
        # Looked at four times a second, a run takes a third longer.
        use = watched([COMMAND, "index", "-L", work / f"{name}.library", work / name], 0.25)
        sizes = [size for _, size in use.curve]
        third = len(sizes) // 3
        early, late = max(sizes[: 2 * third]), max(sizes[2 * third :])
        rows.append([name, f"{use.seconds:.0f}", f"{use.peak:.0f}", f"{early:.0f}", f"{late:.0f}"])
        curves.append((name, use.curve))
    print(f"long: one wav of {hours:g} hours, 48 kHz stereo; short: {files} files of 0.5-6 s")
    measure.table(["", "s", "peak, MB", "first two thirds", "last third"], rows)
    if plot:
        plot.write_text(picture(curves), encoding="utf-8")


def picture(curves: list[tuple[str, list[tuple[float, float]]]]) -> str:
    """SVG of (second, MB), each curve over the whole width; the dashed line is the limit."""
    width, height, limit = 640, 260, 600.0
    top = max(limit, *(size for _, curve in curves for _, size in curve)) * 1.1
    shown: list[str] = []
    for (name, curve), colour in zip(curves, ("#1f6feb", "#bc4c00"), strict=False):
        last = curve[-1][0]
        path = " ".join(
            f"{40 + (width - 50) * second / last:.1f},{height - 20 - (height - 30) * size / top:.1f}"
            for second, size in curve
        )
        place = height - 26 - (height - 30) * max(size for _, size in curve) / top
        where = 60 if not shown else width // 2
        shown.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}"/>'
            f'<text x="{where}" y="{place:.0f}" fill="{colour}">{name}: {last:.0f} s, '
            f"at most {max(size for _, size in curve):.0f} MB</text>"
        )
    line = height - 20 - (height - 30) * limit / top
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
        f'<path d="M40 10V{height - 20}H{width - 10}" fill="none" stroke="#888"/>'
        f'<path d="M40 {line:.1f}H{width - 10}" stroke="#888" stroke-dasharray="4"/>'
        f'<text x="6" y="{line + 4:.0f}">{limit:.0f}</text><text x="26" y="{height - 16}">0</text>'
        f"{''.join(shown)}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed", "stages", "memory"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    parser.add_argument("--folder", type=Path, help="for the sounds: 7 GB for ten hours")
    args = parser.parse_args()
    print(measure.machine())
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        if args.what == "memory":
            memory(Path(folder), args.hours, args.files, args.plot)
        else:
            {"speed": speed, "stages": stages}[args.what](Path(folder), args.rounds)


if __name__ == "__main__":
    main()
