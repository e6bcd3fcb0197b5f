"""The object store as the cache of runs: features, tables, scores, networks and classifiers."""

import json
from typing import Any

from shared.bundles.trusted import dump_classifier, load_classifier
from shared.objects import ObjectStore


class StoredFeatures:
    """A `FeatureCache` in the object store. All trainers share it, and it is kept after a run."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def get(self, key: str) -> bytes | None:
        return self._objects.get_named(key)

    def put(self, key: str, vector: bytes) -> None:
        self._objects.put_named(key, vector)


class StoredFits:
    """Fitted classifiers as skops files, each after a line with its settings.

    Nothing is ever unpickled.
    """

    def __init__(self, cache: StoredFeatures) -> None:
        self._cache = cache

    def get(self, key: str) -> tuple[dict[str, Any], object] | None:
        """Return settings and classifier, or None. Raises BundleUnreadable, UntrustedType."""
        entry = self._cache.get(key)
        if entry is None:
            return None
        settings_line, _, classifier = entry.partition(b"\n")
        return json.loads(settings_line), load_classifier(classifier, key)

    def put(self, key: str, settings: dict[str, Any], model: object) -> None:
        settings_line = json.dumps(settings).encode()
        self._cache.put(key, settings_line + b"\n" + dump_classifier(model))
