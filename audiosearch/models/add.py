"""Adding a model by its name, its hub id or its directory: ready in ONNX where it comes so, which needs
no PyTorch, else compiled from its checkpoint (see `models.compile`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from audiosearch.errors import AudioSearchError, InvalidQuery, ModelBroken
from audiosearch.models import layout
from audiosearch.models.bundle import AUDIO, TEXT, TOKENIZER, Bundle
from audiosearch.models.fetch import fetch_files
from audiosearch.models.model import Model
from audiosearch.models.origin import SMALL, Origin, Tell, find_origin
from audiosearch.models.place import (
    DOWNLOADS,
    TEMPLATE,
    UNFINISHED,
    clear_abandoned,
    free_place,
    put_in_place,
    write_manifest,
)

PRECISIONS = ("auto", "fp32", "fp16", "int8", "bf16")

TellBytes = Callable[[int, int], None]


def add_model(
    source: str,
    *,
    name: str | None = None,
    revision: str | None = None,
    precision: str = "auto",
    tokenizer: str | None = None,
    on_progress: Tell | None = None,
    on_bytes: TellBytes | None = None,
) -> Bundle:
    """Put the model of a name (see `models.known`), hub id or directory into the user's cache.

    Of a model that comes in ONNX, `precision` ``auto`` takes the audio tower in int8 where it is faster
    here and real sounds keep their vectors, ``fp16`` and ``int8`` take each tower that keeps them (see
    `models.precision`), and ``fp32`` none. Any other model, one with a `revision` of a known
    checkpoint's own, and ``bf16``, is compiled; so is an MS-CLAP, whose `tokenizer` may lie in a
    directory (see `models.msclap`). `on_progress` is told each step, `on_bytes` the bytes
    of the download that are there and all of them. Nothing is kept but what works.

    Raises `ModelNotFound`, `ModelBroken`, `InvalidQuery`, or `AudioSearchError` for a full disk.
    """
    tell, tell_bytes = on_progress or (lambda step: None), on_bytes or (lambda done, total: None)
    if precision not in PRECISIONS:
        raise InvalidQuery(f"there is no precision {precision}: {', '.join(PRECISIONS)}")
    from audiosearch.models.msclap import add_msclap, is_msclap

    if is_msclap(source):
        return add_msclap(source, name, precision, tokenizer, tell)
    if tokenizer:
        raise InvalidQuery(f"--tokenizer is for an MS-CLAP file: {source} brings its own")
    origin = find_origin(source, revision, precision, tell)
    if origin is None:
        from audiosearch.models.compile import compile_checkpoint

        return compile_checkpoint(
            source, name=name, revision=revision, precision=precision, on_progress=tell
        )
    return _Adding(name or origin.name, origin, precision, tell, tell_bytes).run()


class _Adding:
    """One model on its way into the cache. The files lie in a folder beside their later place, under
    the names that a bundle has; the text tower, which may be of no use, is tried before the audio tower
    is fetched.
    """

    def __init__(
        self, name: str, origin: Origin, precision: str, tell: Tell, tell_bytes: TellBytes
    ) -> None:
        self.name = name
        self.origin = origin
        self.precision = precision
        self.tell = tell
        self.tell_bytes = tell_bytes
        self.target = free_place(name, origin.address)
        self.lower = self._lower_files()
        self.done = 0
        paths = [*SMALL, *(layout.tower_path(tower) for tower in layout.TOWERS)]
        paths += [path for path, _ in self.lower.values()]
        self.total = sum(origin.paths[path] for path in paths)

    def _lower_files(self) -> dict[str, tuple[str, str]]:
        """By tower: path and precision of the file that is to be tried."""
        towers: Mapping[str, str] = {
            "auto": {AUDIO: "int8"},
            "fp16": {AUDIO: "fp16", TEXT: "fp16"},
            "int8": {AUDIO: "int8", TEXT: "int8"},
        }.get(self.precision, {})
        lower = {t: (layout.tower_path(t, p), p) for t, p in towers.items()}
        missing = [path for path, _ in lower.values() if path not in self.origin.paths]
        if missing and self.precision != "auto":
            raise InvalidQuery(
                f"{self.origin.name} has no {missing[0]}: leave out --precision {self.precision}"
            )
        return {t: (path, p) for t, (path, p) in lower.items() if path not in missing}

    def run(self) -> Bundle:
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            clear_abandoned(self.target.parent)
            with self._folder() as folder:
                try:
                    return self._add(folder)
                except ModelBroken:  # it would be no better the next time
                    shutil.rmtree(folder, ignore_errors=True)
                    raise
        except OSError as error:
            raise AudioSearchError(f"cannot write {self.target}: {error.strerror}") from error

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        if isinstance(self.origin.place, Path):
            with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=self.target.parent) as made:
                folder = Path(made) / "bundle"
                folder.mkdir()
                yield folder
            return
        import filelock

        owner = self.origin.address.removeprefix("https://huggingface.co/").replace("/", "--")
        folder = self.target.parent / f"{DOWNLOADS}{owner}-{self.origin.revision[:12]}"
        folder.mkdir(exist_ok=True)
        lock = filelock.FileLock(f"{folder}.lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise AudioSearchError(
                f"{self.name} is being added by another program: wait until it is done"
            ) from error
        try:
            yield folder
        finally:
            lock.release()
            if not folder.exists():
                Path(lock.lock_file).unlink(missing_ok=True)

    def _add(self, folder: Path) -> Bundle:
        self._get(folder, {path: Path(path).name for path in SMALL})
        description = layout.describe(folder, self.origin.name)
        self._get(folder, {layout.tower_path(TEXT): TEXT})
        self.tell("trying the text tower")
        bundle = layout.unfinished_bundle(folder, self.name, description, (TEXT, TOKENIZER))
        layout.check_texts(Model(bundle))
        self._get(folder, {layout.tower_path(AUDIO): AUDIO})
        self.tell("trying the audio tower")
        files = (AUDIO, TEXT, TOKENIZER)
        bundle = layout.unfinished_bundle(folder, self.name, description, files)
        layout.check_sounds(Model(bundle))
        precisions = {tower: self._lowered(folder, tower, bundle) for tower in (AUDIO, TEXT)}
        bundle = layout.unfinished_bundle(folder, self.name, description, files)
        together = layout.check_texts(Model(bundle))
        return self._finish(folder, bundle, precisions, together)

    def _get(self, folder: Path, names: Mapping[str, str]) -> None:
        """Bring files into the folder; `names` as in `fetch_files`."""
        if isinstance(self.origin.place, Path):
            for path, name in names.items():
                shutil.copyfile(self.origin.place / path, folder / name)
            return
        size = sum(self.origin.paths[path] for path in names)
        if size > 1e6:
            self.tell(f"downloading {size / 1e6:.0f} MB from {self.origin.address}")
        fetch_files(self.origin.place, names, folder, self._count)

    def _count(self, size: int) -> None:
        self.done += size
        self.tell_bytes(self.done, self.total)

    def _lowered(self, folder: Path, tower: str, bundle: Bundle) -> str:
        """The precision of the tower, after a lower one was tried."""
        from audiosearch.models import precision

        if tower not in self.lower:
            return "fp32"
        path, lower = self.lower[tower]
        small, whole = folder / f"{lower}-{tower}", folder / tower
        self._get(folder, {path: small.name})
        what = tower.removesuffix(".onnx")
        self.tell(f"comparing the {what} tower with its {lower}")
        threads = os.cpu_count() or 1
        try:
            if tower == AUDIO:
                compared = precision.compare(bundle, whole, small, threads)
            else:
                compared = precision.compare_texts(bundle, whole, small, threads)
        except ModelBroken as error:
            self.tell(f"kept in fp32: {error}")
            return "fp32"
        gains = f"{compared.gain:.2f} times as fast, at a cosine of {compared.cosine:.4f} to fp32"
        if not (compared.good if self.precision == "auto" else compared.same):
            self.tell(f"kept in fp32: {lower} is {gains}")
            return "fp32"
        self.tell(f"taken: {lower} is {gains}")
        small.replace(whole)
        return lower

    def _finish(
        self, folder: Path, tried: Bundle, precisions: Mapping[str, str], together: bool
    ) -> Bundle:
        for left in folder.iterdir():
            if left.name not in tried.files:
                left.unlink()
        both = f"{precisions[AUDIO]} audio, {precisions[TEXT]} text"
        values = {
            "name": self.name,
            "revision": self.origin.revision,
            "origin": self.origin.address,
            "licence": self.origin.licence,
            "precision": "fp32" if set(precisions.values()) == {"fp32"} else both,
            "dimension": tried.dimension,
            "front_end": asdict(tried.front_end),
            "window_seconds": tried.window_seconds,
            "hop_seconds": tried.hop_seconds,
            "max_tokens": tried.max_tokens,
            "query_template": TEMPLATE,
            **({} if together else {"texts_alone": True}),
        }
        write_manifest(folder, values, tried.files)
        return put_in_place(folder, self.target)
