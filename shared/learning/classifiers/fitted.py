"""The cache of classifiers that are fitted on all rows, shared by the steps of a training run."""

from typing import Any, Protocol

from shared.learning.classifiers.classifiers import Settings


class ClassifierCache(Protocol):
    """Stores a fitted scikit-learn model with its settings; the key names all that decides them."""

    def get(self, key: str) -> tuple[Settings, Any] | None: ...

    def put(self, key: str, settings: Settings, model: Any) -> None: ...


class NoClassifierCache:
    """Stores nothing."""

    def get(self, key: str) -> tuple[Settings, Any] | None:
        return None

    def put(self, key: str, settings: Settings, model: Any) -> None:
        return None
