"""What runs keep in the object store: features, tables, scores, networks, and fitted classifiers."""

import json
from typing import Any

from shared.bundles.trusted import dump_classifier, load_classifier
from shared.objects import ObjectStore


class StoredFeatures:
    """A `FeatureCache` in the object store, shared by all trainers and kept between runs."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def get(self, key: str) -> bytes | None:
        return self._objects.get_named(key)

    def put(self, key: str, vector: bytes) -> None:
        self._objects.put_named(key, vector)


class StoredFits:
    """Fitted classifiers as skops files with their settings before them; nothing is ever unpickled."""

    def __init__(self, keep: StoredFeatures) -> None:
        self._keep = keep

    def get(self, key: str) -> tuple[dict[str, Any], Any] | None:
        """The classifier; raises BundleUnreadable, UntrustedType."""
        known = self._keep.get(key)
        if known is None:
            return None
        head, _, body = known.partition(b"\n")
        return json.loads(head), load_classifier(body, key)

    def put(self, key: str, settings: dict[str, Any], model: Any) -> None:
        self._keep.put(
            key, json.dumps(settings).encode() + b"\n" + dump_classifier(model)
        )
