"""Classifiers fitted on all rows, kept for the other steps of a run."""

from typing import Any, Protocol

from shared.learning.classifiers.classifiers import Settings


class ClassifierCache(Protocol):
    """A fitted scikit-learn model and its settings by a key that names all that decides them."""

    def get(self, key: str) -> tuple[Settings, Any] | None: ...

    def put(self, key: str, settings: Settings, model: Any) -> None: ...


class NoClassifierCache:
    """Keeps nothing."""

    def get(self, key: str) -> tuple[Settings, Any] | None:
        return None

    def put(self, key: str, settings: Settings, model: Any) -> None:
        return None
