"""Is a model the one that a library's vectors come from?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from audiosearch.catalog.records import StoredModel
from audiosearch.errors import ModelMismatch

if TYPE_CHECKING:
    from audiosearch.models.model import Model


def check_same_model(model: Model, stored: StoredModel, library: str) -> None:
    """Raises `ModelMismatch`, naming both and the remedy."""
    if model.identity.digest != stored.digest:
        raise ModelMismatch(
            f"the library {library} was built with {describe_identity(stored.identity)}, not with "
            f"{model.identity}: build the new vectors with: audiosearch index --model "
            f"{model.bundle.name} -L {library}"
        )


def describe_identity(identity: Mapping[str, Any]) -> str:
    """A stored identity on one line."""
    from audiosearch.models.bundle import ModelIdentity

    return str(ModelIdentity.from_json(identity))
