"""Many readers beside one writer: no error, no half state, new sounds without reopening."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from audiosearch import Library
from audiosearch.models.registry import load_model
from tests.torture.kills import make_sounds
from tests.waiting import wait_until


@dataclass
class Watched:
    """What readers saw: searches made, library sizes met, and what was wrong."""

    searches: int = 0
    sizes: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def watch(work: Path, readers: int, rounds: int) -> Watched:
    """`readers` threads, half of them with a `Library` of their own, search while folders are added
    and removed `rounds` times.

    A round adds a folder of 40 and then one of 120 sounds, each of which has its own content, and
    removes both: a reader may see any number of sounds, but never one without its vectors, the same
    one twice, or fewer hits than sounds.
    """
    watched, done, model = Watched(), threading.Event(), load_model()
    folders = [work / "always", work / "less", work / "more"]
    for folder, first, count in zip(folders, (0, 100, 200), (5, 40, 120), strict=True):
        for name in ("7", "47", "87"):
            assert not (folder / name).exists()
        make_sounds(folder, count, 10_000 + first * 40)
    directory = work / "library"
    with Library.open(directory, model=model, create=True) as shared:
        shared.add(folders[0])

        def read(library: Library) -> None:
            while not done.is_set():
                try:
                    hits = library.search("rain", k=1000)
                    status = library.status()
                except Exception as error:  # noqa: BLE001 (whatever it is, it is a fault)
                    watched.faults.append(f"{type(error).__name__}: {error}")
                    return
                paths = [hit.path for hit in hits]
                if len(set(paths)) < len(paths):
                    watched.faults.append("a sound was found twice")
                if not {str(folders[0])} <= {str(Path(path).parent) for path in paths}:
                    watched.faults.append("sounds that were always there were not found")
                if any(hit.end <= hit.start or not -1 <= hit.score <= 1 for hit in hits):
                    watched.faults.append("a hit that is none")
                watched.sizes.update((len(paths), status.sounds))
                watched.searches += 1
                time.sleep(0.1)  # the writer shares this interpreter with them

        own = [Library.open(directory, model=model) for _ in range(readers // 2)]
        threads = [
            threading.Thread(target=read, args=(library,))
            for library in (*own, *[shared] * (readers - len(own)))
        ]
        for thread in threads:
            thread.start()
        with Library.open(directory, model=model) as writer:
            for _ in range(rounds):
                writer.add(folders[1], workers=1)
                writer.add(folders[2], workers=1)
                _wait_until_seen(shared, 160)
                writer.remove(folders[2])
                writer.remove(folders[1])
        done.set()
        for thread in threads:
            thread.join()
        for library in own:
            library.close()
    return watched


def _wait_until_seen(library: Library, least: int) -> None:
    wait_until(lambda: len(library.search("rain", k=1000)) >= least)
