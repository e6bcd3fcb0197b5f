"""The cache of classifiers that are fitted on all rows, shared by the steps of a training run."""

from typing import Protocol

from shared.learning.classifiers.classifiers import Settings


class ClassifierCache(Protocol):
    """Stores a fitted scikit-learn model with its settings.

    The key covers everything that determines the model and the settings.
    """

    def get(self, key: str) -> tuple[Settings, object] | None: ...

    def put(self, key: str, settings: Settings, model: object) -> None: ...


class NoClassifierCache:
    """Stores nothing."""

    def get(self, key: str) -> tuple[Settings, object] | None:
        return None

    def put(self, key: str, settings: Settings, model: object) -> None:
        return None
