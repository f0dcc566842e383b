"""`ActiveModel`: the loaded model of an open library, which another process may switch."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from audiosearch.models.identity import check_same_model

if TYPE_CHECKING:
    from audiosearch.catalog.records import StoredModel
    from audiosearch.models.model import Model


class ActiveModel:
    """The model whose vectors a library holds; thread-safe.

    `given`: the model that the caller insists on. Without one, the model is loaded at first use,
    by the name that the library stores, and again whenever the library's own has another digest.
    """

    def __init__(self, library: str, given: Model | None = None) -> None:
        self._library = library
        self._given = given is not None
        self._model = given
        self._lock = threading.Lock()

    def loaded(self, stored: StoredModel | None) -> Model | None:
        """The model of `stored` if it is loaded already, or the model given, whatever is stored."""
        model = self._model
        if self._given or (model and stored and model.identity.digest == stored.digest):
            return model
        return None

    def matching(self, stored: StoredModel | None) -> Model:
        """The model that made the vectors of `stored`; for a library without any, the default.

        Raises `ModelMismatch` where the model given, or the installed one of that name, is another
        than the stored one, and `ModelNotFound` or `ModelBroken` where it cannot be loaded.
        """
        from audiosearch.models.registry import load_model

        with self._lock:
            model = self._model
            stale = stored and model and not self._given and model.identity.digest != stored.digest
            if model is None or stale:
                model = load_model(stored.name) if stored else load_model()
            if stored:
                check_same_model(model, stored, self._library)
            self._model = model
            return model
