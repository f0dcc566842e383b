"""Models by name: `mini`, which comes with the package, those compiled into the user's cache, and
bundle directories.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from audiosearch.errors import InvalidQuery, ModelBroken, ModelNotFound
from audiosearch.models.bundle import MANIFEST, Bundle, read_bundle
from audiosearch.models.model import Model

BUNDLED = "mini"


@dataclass(frozen=True)
class Installed:
    """A model that is there: its bundle, or why it cannot be used."""

    name: str
    directory: Path
    bundle: Bundle | None
    problem: str | None


def cache_directory() -> Path:
    """Where compiled bundles are kept: ``$AUDIOSEARCH_CACHE``, else the user's cache directory."""
    named = os.environ.get("AUDIOSEARCH_CACHE")
    if named:
        return Path(named).expanduser() / "models"
    import platformdirs

    return Path(platformdirs.user_cache_dir("audiosearch", appauthor=False)) / "models"


def slug(name: str) -> str:
    """A model's name as a folder's: ``laion/clap-htsat-unfused`` -> ``laion--clap-htsat-unfused``."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name.replace("/", "--")).lstrip(".") or "model"


def find_bundle(name: str) -> Path:
    """The directory of a model's bundle. Raises `ModelNotFound`, with what is near."""
    if name == BUNDLED:
        return Path(__file__).parent / BUNDLED
    compiled = cache_directory() / slug(name)
    if (compiled / MANIFEST).is_file():
        return compiled
    if (Path(name).expanduser() / MANIFEST).is_file():
        return Path(name).expanduser()
    close = difflib.get_close_matches(name, [model.name for model in list_bundles()], 1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise ModelNotFound(
        f"there is no model {name}: {hint}a Hugging Face CLAP checkpoint is made usable with: "
        f"audiosearch models add {name}"
    )


def load_model(name: str = BUNDLED, *, threads: int = 1) -> Model:
    """The model of that name. Raises `ModelNotFound` or `ModelBroken`."""
    return Model(read_bundle(find_bundle(name)), threads=threads)


def list_bundles() -> list[Installed]:
    """Every model that is there, broken ones with the reason."""
    found = [Path(__file__).parent / BUNDLED]
    cache = cache_directory()
    if cache.is_dir():
        found += sorted(path for path in cache.iterdir() if (path / MANIFEST).exists())
    models = []
    for directory in found:
        try:
            bundle = read_bundle(directory)
            models.append(Installed(bundle.name, directory, bundle, None))
        except ModelBroken as error:
            models.append(Installed(directory.name, directory, None, str(error)))
    return models


def remove_bundle(name: str) -> Path:
    """Delete a compiled bundle. Raises `ModelNotFound`, or `InvalidQuery` for what was not compiled here."""
    directory = find_bundle(name)
    if directory.parent != cache_directory():
        raise InvalidQuery(f"{name} is not in the cache of compiled models: it is left where it is")
    shutil.rmtree(directory)
    return directory
