"""One run of the indexer: it brings a library up to date with its folders."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, func, select

from audiosearch import paths
from audiosearch.catalog import migrations, reading
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.schema import sounds
from audiosearch.catalog.sqlite_store import SqliteStore
from audiosearch.catalog.store import Address, Store, store_at
from audiosearch.errors import LibraryNotFound
from audiosearch.models.identity import check_same_model
from audiosearch.models.model import Model
from audiosearch.models.registry import load_model
from indexer import roots, store
from indexer.batches import Batches
from indexer.belongings import Belongings, set_belongings
from indexer.cache import renew_cache
from indexer.chance import renew_chance
from indexer.deletion import delete_sounds, drop_model, forget_empty_roots
from indexer.executor import executor
from indexer.meta import next_generation, set_meta
from indexer.options import Options
from indexer.outlines import sweep_outlines
from indexer.plan import Plan, Scan, compare
from indexer.progress import Progress
from indexer.root_options import remember
from indexer.standby import Standby
from indexer.summary import Summary
from indexer.watching.selection import Selection


def index(
    where: Address,
    sources: Sequence[str],
    options: Options,
    *,
    metadata: Mapping[str, Any] | None = None,
    external_id: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    model: Model | None = None,
    files: bool = True,
    standby: Standby | None = None,
    turn: Callable[[], None] | None = None,
    selection: Selection | None = None,
) -> Summary:
    """Index these paths, or all roots without a path, and bring library and cache up to date.

    The function makes the library where there is none. With `files`, single files are allowed among
    the paths. `standby` holds the model and the process that an earlier run left ready. With a
    `selection`, its files alone are brought up to date. `Library.add` explains the rest.
    """
    place = store_at(where)
    roots.check_sources(sources, files=files)
    run = _Run(
        place,
        options,
        Belongings(external_id, metadata),
        on_progress or (lambda progress: None),
        cancel or threading.Event(),
        turn,
        selection,
    )
    run.belongings.values()  # metadata that JSON cannot hold is an error before the run reads anything
    exists = place.exists()
    if not sources and not exists and not (selection and selection.folders):
        raise LibraryNotFound(f"no library at {place.name} yet: name a folder to index")
    with ExitStack() as stack:
        stack.enter_context(place.translating())
        if options.dry_run and not exists:
            place = SqliteStore(Path(stack.enter_context(TemporaryDirectory())))
        if not exists:
            store.create_library(place)
        if not options.dry_run:
            place = stack.enter_context(place.lock(options.wait))
        engine = place.writer()
        stack.callback(engine.dispose)
        migrations.migrate(engine, place.name)
        if options.dry_run:
            return run.rehearse(engine, sources)
        if standby is None:
            standby = Standby()
            stack.callback(standby.close)
        summary = run.index(engine, sources, model, standby)
        place.merge_log(engine)
    return summary


@dataclass
class _Run:
    place: Store
    options: Options
    belongings: Belongings
    tell: Callable[[Progress], None]
    cancel: threading.Event
    turn: Callable[[], None] | None = None
    selection: Selection | None = None
    summary: Summary = field(default_factory=Summary)
    started: float = field(default_factory=time.monotonic)

    # -- the parts of a run -------------------------------------------------------------------

    def rehearse(self, engine: Engine, sources: Sequence[str]) -> Summary:
        """Return the summary of a run, but write nothing that lasts."""
        self.summary.dry_run = True
        with engine.connect() as connection:
            before = connection.execute(select(func.count()).select_from(sounds)).scalar_one()
            active = reading.active_model(connection)
            scans = roots.plan_scans(connection, sources)
            self.summary.notices += remember(connection, scans, self.options)
            plan = compare(
                connection,
                scans,
                active.id if active else None,
                self.options,
                self._scanning,
            )
            connection.rollback()
        self._count(plan)
        self.summary.added = sum(task.sound_id is None for task in plan.tasks)
        self.summary.updated = len(plan.tasks) - self.summary.added
        if self._may_sweep(plan, before):
            self.summary.removed = len(plan.missing)
        return self._finished()

    def index(
        self, engine: Engine, sources: Sequence[str], loaded: Model | None, standby: Standby
    ) -> Summary:
        """Scan, embed, sweep, switch models, renew the cache."""
        model, model_id, building = self._model(engine, loaded, standby)
        with engine.begin() as connection:
            if self.selection:
                scans = self.selection.scans(connection)
            else:
                scans = roots.plan_scans(connection, sources)
                self.summary.notices += remember(connection, scans, self.options)
            if building:  # the new model must embed everything before it answers
                everything = roots.plan_scans(connection, ())
                scans += [scan for scan in everything if not _covered(scan, scans)]
        with engine.connect() as connection:
            plan = compare(connection, scans, model_id, self.options, self._scanning)
            before = connection.execute(select(func.count()).select_from(sounds)).scalar_one()
        if self.selection:
            self.selection.restrict(plan)
        self._count(plan)
        if sources and not plan.files:
            self.summary.notices.append(
                "no sounds found in " + ", ".join(map(paths.shown, sources))
            )
        with engine.begin() as connection:
            set_belongings(connection, [(kept, self.belongings) for kept in plan.kept])
        self._embed(engine, plan, model, model_id, standby)
        if not self.cancel.is_set():
            self._sweep(engine, plan, before)
            if building:
                self._switch(engine, model_id)
        with engine.begin() as connection:
            forget_empty_roots(connection)
            # A sweep of the outlines takes as long as a walk: an added file does without.
            walked = any(scan.files is None for scan in scans)
            if walked and (self.summary.removed or self.summary.updated):
                sweep_outlines(self.place.directory, connection)
        with engine.connect() as connection:
            active = reading.active_model(connection)
        if active:
            self._refresh(engine, active, len(plan.tasks))
            if active.digest == model.identity.digest and walked:
                renew_chance(self.place.directory, engine, active, model)
        return self._finished()

    # -- steps --------------------------------------------------------------------------------

    def _model(
        self, engine: Engine, loaded: Model | None, standby: Standby
    ) -> tuple[Model, int, bool]:
        """Return the model of this run, its row, and whether its vectors are built beside the
        active ones.
        """
        with engine.connect() as connection:
            active = reading.active_model(connection)
        name = self.options.model or (active.name if active else "mini")
        ready = loaded or (standby.model(active.digest) if active else None)
        model = ready if ready and not self.options.model else load_model(name)
        if active and not self.options.model:
            check_same_model(model, active, self.place.name)
        with engine.begin() as connection:
            model_id = store.ensure_model(connection, model)
            building = bool(active and active.id != model_id)
            waiting = reading.building_model(connection)
            if waiting and building and waiting.id != model_id:
                drop_model(connection, waiting.id)  # its build was never finished
            if building:
                set_meta(connection, "building_model", model_id)
            elif not active:
                set_meta(connection, "active_model", model_id)
        return model, model_id, building

    def _embed(
        self, engine: Engine, plan: Plan, model: Model, model_id: int, standby: Standby
    ) -> None:
        batches = Batches(
            self.place.directory, engine, model_id, plan.missing, self.belongings, self.summary
        )
        reader = self.place.reader()

        def known(content_hash: bytes) -> bool:
            with reader.connect() as connection:
                embedded = store.has_embedding(connection, content_hash, model_id)
                # A library of an older version has no loudness until its files are read again.
                return embedded and not (
                    self.options.rehash and not store.is_measured(connection, content_hash)
                )

        tasks, total, done = plan.tasks, len(plan.tasks), 0
        working = executor(self.options, model, standby, known, self.cancel, self.turn)
        try:
            while tasks and not self.cancel.is_set():
                for outcome in working.embed(tasks):
                    if self.selection and self.selection.leaves(outcome):
                        continue
                    batches.add(outcome)
                    done = min(done + 1, total)
                    path = paths.usable(outcome.task.path)
                    seconds, failed = self.summary.seconds, self.summary.failed
                    self.tell(Progress("index", done, total, failed, seconds, path))
                batches.commit()
                tasks, batches.again = batches.again, []
        finally:
            working.close()
            reader.dispose()
        self.summary.interrupted = self.cancel.is_set()

    def _sweep(self, engine: Engine, plan: Plan, before: int) -> None:
        """Forget the sounds that are gone. To forget more than half of the library takes `prune`."""
        if not self._may_sweep(plan, before):
            return
        with engine.begin() as connection:
            next_generation(connection)
            delete_sounds(connection, plan.missing)
        self.summary.removed = len(plan.missing)

    def _may_sweep(self, plan: Plan, before: int) -> bool:
        if not plan.missing:
            return False
        if len(plan.missing) * 2 <= before or self.options.prune:
            return True
        self.summary.gone = len(plan.missing)
        self.summary.notices.append(
            f"{len(plan.missing)} of the {before} sounds of the library are gone: they are kept; "
            "if that is right, forget them with: audiosearch index --prune"
        )
        return False

    def _switch(self, engine: Engine, model_id: int) -> None:
        """Let the new model answer, if it has embedded everything."""
        with engine.begin() as connection:
            left = store.without_embedding(connection, model_id)
            if left:
                self.summary.notices.append(
                    f"{left} sounds could not be read for the new model: the old one keeps "
                    "answering; make their folders available (or remove them) and run this again"
                )
                return
            active = reading.active_model(connection)
            next_generation(connection)
            set_meta(connection, "active_model", model_id)
            set_meta(connection, "building_model", None)
            if active:
                drop_model(connection, active.id)
        self.summary.switched = True

    def _refresh(self, engine: Engine, active: StoredModel, total: int) -> None:
        self.tell(Progress("cache", total, total, self.summary.failed, self.summary.seconds))
        renew_cache(self.place.directory, engine, active)

    # -- progress -----------------------------------------------------------------------------

    def _scanning(self, files: int) -> None:
        self.tell(Progress("scan", files, None))

    def _count(self, plan: Plan) -> None:
        self.summary.unchanged = len(plan.kept) - plan.known_failures
        self.summary.known_failures = plan.known_failures
        self.summary.notices.extend(plan.notices)
        self.summary.passed_over = dict(plan.passed_over.most_common())

    def _finished(self) -> Summary:
        self.summary.failures.sort(key=lambda failure: os.fsencode(failure.path))
        self.summary.elapsed = time.monotonic() - self.started
        return self.summary


def _covered(scan: Scan, scans: Sequence[Scan]) -> bool:
    """Return whether the scans include all of this scan's root."""
    return any(
        other.root_id == scan.root_id and not other.below and other.files == scan.files
        for other in scans
    )
