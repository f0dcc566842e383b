"""The models by name: `mini`, which comes with the package; those in the user's cache, which
`models.compile` puts there; and directories of bundles.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from audiosearch.errors import InvalidQuery, ModelBroken, ModelNotFound
from audiosearch.models.bundle import MANIFEST, Bundle, read_bundle, verify_files
from audiosearch.models.model import Model
from audiosearch.paths import shown, user_path

BUNDLED = "mini"
_BUNDLED_AT = Path(__file__).parent / BUNDLED


@dataclass(frozen=True)
class Installed:
    """An installed model: its bundle, or the problem that makes it unusable."""

    name: str
    directory: Path
    bundle: Bundle | None
    problem: str | None

    @property
    def bytes(self) -> int:
        """The size in bytes of the files that its `model.json` lists."""
        return sum(entry.bytes for entry in self.bundle.files.values()) if self.bundle else 0


def load_model(name: str = BUNDLED, *, threads: int = 1) -> Model:
    """Return the model of that name. It opens its towers when they are needed.

    Raises `ModelNotFound` or `ModelBroken`.
    """
    directory = find_bundle(name)
    bundle = read_bundle(directory)
    if directory.parent not in (_BUNDLED_AT.parent, cache_directory()):
        # A library remembers its model by name: the name of a bundle elsewhere is its directory.
        bundle = replace(bundle, name=str(directory))
    return Model(bundle, threads=threads)


def find_bundle(name: str) -> Path:
    """Return the directory of a model's bundle. Raises `ModelNotFound`, which names the nearest
    model.
    """
    if name == BUNDLED:
        return _BUNDLED_AT
    cached = cached_bundle(name)
    if (cached / MANIFEST).is_file():
        return cached
    directory = named_directory(name)
    if directory and (directory / MANIFEST).is_file():
        return directory
    import difflib

    names = [model.name for model in list_bundles()]
    close = difflib.get_close_matches(name, names, 1)
    near = f"did you mean {close[0]}? " if close else ""
    raise ModelNotFound(
        f"there is no model {shown(name)} here (there is {', '.join(names)}): {near}a Hugging Face CLAP "
        f"checkpoint, by its hub id or directory, is added with: audiosearch models add {shown(name)}"
    )


def list_bundles() -> list[Installed]:
    """Return every model that has a name, `mini` first. A broken model comes with the reason."""
    directories = [_BUNDLED_AT]
    cache = cache_directory()
    if cache.is_dir():
        directories += sorted(path.parent for path in cache.glob(f"[!.]*/{MANIFEST}"))
    bundles = []
    for directory in directories:
        try:
            bundle = read_bundle(directory)
            bundles.append(Installed(bundle.name, directory, bundle, None))
        except ModelBroken as error:
            bundles.append(Installed(directory.name, directory, None, str(error)))
    return bundles


def check_bundle(name: str) -> None:
    """Raise `ModelBroken` where a file of the model has changed or one of its towers does not work."""
    model = load_model(name)
    verify_files(model.bundle)
    model.check()


def remove_bundle(name: str, *, dry_run: bool = False) -> Path:
    """Delete a model from the user's cache, and return its directory.

    Raises `ModelNotFound`, or `InvalidQuery` for a model that is not in the cache.
    """
    directory = find_bundle(name)
    if directory.parent != cache_directory():
        raise InvalidQuery(
            f"the model {name} was not added here, it is at {directory}: it is left alone"
        )
    if not dry_run:
        import tempfile

        # The directory moves aside first: a bundle is either whole or absent.
        with tempfile.TemporaryDirectory(prefix=".removed-", dir=directory.parent) as aside:
            directory.rename(Path(aside) / directory.name)
    return directory


def named_directory(name: str) -> Path | None:
    """Return the directory that a text names, or None where there is none."""
    try:
        path = Path(name).expanduser()
        return path.resolve() if name and path.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long, in the home of nobody, with a NUL
        return None


def cache_directory() -> Path:
    """Return the directory of compiled bundles: `models` in ``$AUDIOSEARCH_CACHE``, else in the
    user's cache.
    """
    value = os.environ.get("AUDIOSEARCH_CACHE")
    if value:
        return user_path(value).absolute() / "models"
    import platformdirs

    return Path(platformdirs.user_cache_dir("audiosearch", appauthor=False)) / "models"


def cached_bundle(name: str) -> Path:
    """Return the place in the cache of the bundle of that name: ``laion--clap`` for ``laion/clap``."""
    folder = re.sub(r"[^A-Za-z0-9._-]", "-", name.replace("/", "--")).lstrip(".")
    return cache_directory() / (folder[:200] or "model")  # every file system takes these
