"""How long Ray waits for a host that no longer answers: by itself, and with shorter settings.

    python -m scripts.bench.cable         eight minutes, of which most is waiting; it needs root

Two hosts on one Linux machine (`tests.hosts`) are a cluster. An index run is started on one of them,
and the cable between them is pulled once both work. Each has a file in hand then, so the run cannot
end before Ray has given up the other host. The table has seconds from then on, of one round each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from scripts.bench import measure
from tests.hosts import IMPATIENT, start_ray, two_hosts, working
from tests.torture.kills import make_sounds
from tests.waiting import stored_sounds, wait_until

SOUNDS, STORED = 720, 200  # so many are stored before the cable is pulled


def cut_off(settings: Mapping[str, str], *, on_head: bool) -> tuple[str, float, float]:
    """Start a run on the head or on the other node, and pull the cable. Return what the run says of it,
    and the seconds until it ends and until the other node's workers have ended.
    """
    with tempfile.TemporaryDirectory() as work, two_hosts(Path(work)) as (head, other):
        folder, library = Path(work) / "in", Path(work) / "library"
        make_sounds(folder, SOUNDS)
        start_ray(head, other, settings)
        host = head if on_head else other
        run = host.start("audiosearch", "index", "-L", library, folder, "--cluster", "auto")
        wait_until(
            lambda: stored_sounds(library) >= STORED and working(head) and working(other), run
        )
        other.pull_cable()
        pulled = time.monotonic()
        said = run.communicate()[1].splitlines()
        ended = time.monotonic() - pulled
        wait_until(lambda: not working(other))
        return said[0], ended, time.monotonic() - pulled


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(measure.machine())
    for name, settings in (("Ray's own", {}), ("shorter", IMPATIENT)):
        for on_head in (True, False):
            said, ended, alone = cut_off(settings, on_head=on_head)
            where = "the head" if on_head else "the node that is cut off"
            print(f"| {name} | {where} | {ended:.0f} | {alone:.0f} | {said}", flush=True)


if __name__ == "__main__":
    main()
