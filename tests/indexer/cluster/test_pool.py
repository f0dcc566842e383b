"""Who reads which file: workers that die, nodes that come, go, or do not fit. The cluster is one of
plain objects here; `tests/indexer/cluster/test_cluster.py` has Ray."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.cluster import pool as pool_module
from indexer.cluster.messages import Message
from indexer.cluster.nodes import Hopeless, Lost, Node
from indexer.cluster.pool import Pool

FACTS = {"audiosearch": "1", "processor": "avx2"}
VECTORS = np.eye(2, 4, dtype=np.float32)
SETUP = {"facts": FACTS, "fp32": True, "gpu": False}


@dataclass(eq=False)
class Worker:
    cluster: Cluster
    node: Node
    alive: bool = True

    async def _step(self, step: str, path: bytes = b"") -> None:
        await asyncio.sleep(0)
        if self.node.id in self.cluster.silent:
            await asyncio.Event().wait()
        if self.node not in self.cluster.up or not self.alive:
            raise Lost("gone")
        if self.cluster.dies(step, path, self.node):
            self.alive = False
            raise Lost("killed")

    async def prepare(self, setup: dict[str, Any], check: bool) -> Message:
        await self._step("prepare")
        if reason := self.cluster.refusals.get(self.node.id):
            return {"is": "refused", "reason": reason}, b""
        vectors = self.cluster.vectors.get(self.node.id, VECTORS)
        return {"is": "ready", "shape": vectors.shape}, vectors.tobytes()

    async def start(self, path: bytes) -> Message:
        await self._step("start", path)
        if path in self.cluster.blind.get(self.node.id, ()):
            return {"is": "vanished"}, b""
        return {"is": "hashed", "hash": path.hex()}, b""

    async def go_on(self, decode: bool) -> Message:
        await self._step("go on")
        return {"is": "embedded" if decode else "known"}, b""

    def kill(self) -> None:
        self.alive = False


@dataclass
class Cluster:
    up: list[Node]
    dies: Callable[[str, bytes, Node], bool] = lambda step, path, node: False
    unlike: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    blind: dict[str, set[bytes]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    started: list[Worker] = field(default_factory=list)

    async def nodes(self) -> Sequence[Node]:
        return list(self.up)

    async def facts(self, node: Node) -> dict[str, Any]:
        return self.unlike.get(node.id, FACTS)

    def worker(self, node: Node, gpus: float) -> Worker:
        self.started.append(Worker(self, node))
        return self.started[-1]


def nodes(count: int, processors: int = 2) -> list[Node]:
    return [Node(f"id{i}", f"10.0.0.{i}", processors) for i in range(count)]


@dataclass
class Ran:
    outcomes: list[tuple[int, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    workers: int = 0
    failures: list[str] = field(default_factory=list)


def run(
    cluster: Cluster,
    files: int,
    *,
    limit: int | None = None,
    fp32: bool = True,
    event: Callable[[Ran], None] = lambda ran: None,
) -> Ran:
    """Have a pool read so many files. `event` is called at each outcome."""
    ran = Ran()

    async def work() -> None:
        finished = asyncio.Event()

        def say(head: dict[str, Any], body: bytes) -> None:
            if head["is"] == "room":
                ran.workers = max(ran.workers, head["workers"])
            elif head["is"] == "notice":
                ran.notices.append(head["text"])
            elif head["is"] == "hashed":
                asyncio.get_running_loop().call_soon(pool.files.answer, head["file"], True)
            elif head["is"] == "gone?":
                asyncio.get_running_loop().call_soon(pool.files.answer, head["file"], False)
            else:
                ran.outcomes.append((head["file"], head["is"]))
                if "reason" in head:
                    ran.failures.append(head["reason"])
                event(ran)
                if len(ran.outcomes) >= files:
                    finished.set()

        pool = Pool(cluster, {**SETUP, "fp32": fp32}, VECTORS, say, limit)
        for file in range(files):
            pool.files.read(file, str(file).encode())
        working = asyncio.create_task(pool.run())
        ending = asyncio.create_task(finished.wait())
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        working.cancel()
        await asyncio.wait([working])
        assert not any(worker.alive for worker in cluster.started)

    asyncio.run(work())
    return ran


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LOOK", 0.01)


def test_every_file_has_one_outcome() -> None:
    ran = run(Cluster(nodes(2)), 50)
    assert sorted(ran.outcomes) == [(file, "embedded") for file in range(50)]
    assert ran.workers == 4
    assert ran.notices == []


@pytest.mark.parametrize(("limit", "ids"), [(1, 1), (3, 2), (4, 2)])
def test_no_more_workers_than_asked_for(limit: int, ids: int) -> None:
    cluster = Cluster(nodes(2, processors=8))
    assert run(cluster, 20, limit=limit).workers == limit
    assert len({worker.node.id for worker in cluster.started}) == ids


def test_a_worker_that_dies_while_its_node_is_tried() -> None:
    deaths = [False] * 9 + [True, True]
    ran = run(Cluster(nodes(1), lambda step, path, node: step == "prepare" and deaths.pop()), 5)
    assert sorted(ran.outcomes) == [(file, "embedded") for file in range(5)]
    assert ran.notices == []


@given(st.integers(0, 1 << 32), st.integers(1, 3))
def test_workers_that_die_at_any_step(seed: int, count: int) -> None:
    deaths, random = Counter[bytes](), Random(seed)

    def dies(step: str, path: bytes, node: Node) -> bool:
        # Any file may lose its worker, but not so often that it or its node is given up.
        few = deaths[path] < 2 and deaths.total() < 9
        if step == "start" and few and random.random() < 0.2:
            deaths[path] += 1
            return True
        return False

    ran = run(Cluster(nodes(count, processors=3), dies), 40)
    assert sorted(ran.outcomes) == [(file, "embedded") for file in range(40)]


def test_a_file_that_kills_its_workers_is_a_failure() -> None:
    ran = run(Cluster(nodes(2), lambda step, path, node: path == b"7"), 20)
    kinds = dict(ran.outcomes)
    assert len(ran.outcomes) == 20
    assert [file for file, kind in kinds.items() if kind == "failed"] == [7]
    assert ran.failures == ["its worker died 3 times (killed)"]


def test_a_node_on_which_every_file_dies_is_left_aside() -> None:
    ran = run(Cluster(nodes(2), lambda step, path, node: step == "start" and node.id == "id1"), 500)
    assert len({file for file, _ in ran.outcomes}) == len(ran.outcomes) == 500
    assert sum(kind == "failed" for _, kind in ran.outcomes) <= 3
    (notice,) = ran.notices
    assert notice == (
        "the node 10.0.0.1 cannot take part: its workers died 10 times in a row (killed)"
    )


def test_a_node_goes_and_another_comes() -> None:
    cluster = Cluster(nodes(2))
    late = Node("late", "10.0.0.9", 2)

    def event(ran: Ran) -> None:
        if len(ran.outcomes) == 10:
            cluster.up.remove(cluster.up[0])
        if len(ran.outcomes) == 20:
            cluster.up.append(late)

    ran = run(cluster, 2_000, event=event)
    assert sorted(ran.outcomes) == [(file, "embedded") for file in range(2_000)]
    assert any(worker.node is late for worker in cluster.started)
    assert ran.notices == ["the node 10.0.0.0 is gone: others go on with its files"]


def test_a_node_that_falls_silent_keeps_its_files_until_ray_gives_it_up() -> None:
    cluster = Cluster(nodes(2))

    def event(ran: Ran) -> None:
        if len(ran.outcomes) == 10:
            cluster.silent.add("id1")
        if len(ran.outcomes) == 48:  # all but those in the hands of its two workers
            assert len({file for file, _ in ran.outcomes}) == 48
            cluster.up.pop()

    ran = run(cluster, 50, event=event)
    assert sorted(ran.outcomes) == [(file, "embedded") for file in range(50)]


def test_what_does_not_fit_is_named() -> None:
    cluster = Cluster(nodes(5))
    cluster.unlike = {"id0": {"audiosearch": "0.9"}, "id1": {"audiosearch": None}}
    cluster.refusals = {"id2": "it cannot read /sounds/a.wav"}
    cluster.vectors = {"id3": VECTORS + 0.1}
    ran = run(cluster, 10)
    assert sorted(ran.outcomes) == [(file, "embedded") for file in range(10)]
    assert sorted(ran.notices) == [
        "the node 10.0.0.0 cannot take part: it has audiosearch 0.9, this machine has 1",
        "the node 10.0.0.1 cannot take part: audiosearch is not installed there",
        "the node 10.0.0.2 cannot take part: it cannot read /sounds/a.wav",
        "the node 10.0.0.3 cannot take part: its vectors differ by 0.1 from those of this machine: "
        "its versions and its processor's features are the same",
    ]


def test_another_processor_is_a_notice_in_fp32_and_a_refusal_else() -> None:
    cluster = Cluster(nodes(1))
    cluster.unlike = {"id0": {**FACTS, "processor": "avx2 avx512f"}}
    cluster.vectors = {"id0": VECTORS + np.float32(2**-21)}
    (notice,) = run(cluster, 1).notices
    assert "differ by up to 5e-07" in notice
    assert "processor avx2 avx512f (here avx2)" in notice
    with pytest.raises(Hopeless, match="only a model in fp32 gives the same"):
        run(cluster, 1, fp32=False)


def test_no_node_fits() -> None:
    cluster = Cluster(nodes(1))
    cluster.refusals = {"id0": "it has no model x"}
    with pytest.raises(Hopeless, match=r"^the node 10.0.0.0 cannot take part: it has no model x$"):
        run(cluster, 1)


def test_a_node_that_loses_the_mount_leaves_and_its_files_do_not() -> None:
    cluster = Cluster(nodes(2))
    cluster.blind = {"id1": {str(file).encode() for file in range(10, 30)}}
    ran = run(cluster, 30)
    assert sorted(ran.outcomes) == [(file, "embedded") for file in range(30)]
    (notice,) = ran.notices
    assert notice.startswith("the node 10.0.0.1 cannot take part: it does not see 1")


def test_no_worker_ever_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(Worker):
        async def prepare(self, setup: dict[str, Any], check: bool) -> Message:
            await asyncio.Event().wait()
            raise AssertionError

    cluster = Cluster(nodes(1))
    monkeypatch.setattr(cluster, "worker", lambda node, gpus: Busy(cluster, node))
    monkeypatch.setattr(pool_module, "PATIENCE", 0.05)
    with pytest.raises(Hopeless, match="no worker started"):
        run(cluster, 1)


def test_a_defect_over_there_is_an_error_here() -> None:
    def dies(step: str, path: bytes, node: Node) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as raised:
        run(Cluster(nodes(1), dies), 1)
    assert raised.group_contains(ZeroDivisionError)
