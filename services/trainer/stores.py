"""The object store as the cache of runs: features, tables, scores, networks and classifiers."""

import hashlib
import json
from typing import Any

from shared.bundles.trusted import dump_classifier, load_classifier
from shared.objects import ObjectStore
from shared.observability.logs import log

HASH_BYTES = hashlib.sha256().digest_size


class StoredFeatures:
    """A `FeatureCache` in the object store. All trainers share it, and it is kept after a run.

    Each entry begins with a hash of its key and its value. A damaged entry, or one that stands
    under the key of another, counts as missing.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def get(self, key: str) -> bytes | None:
        entry = self._objects.get_named(_name(key))
        if entry is None:
            return None
        vector = entry[HASH_BYTES:]
        if entry[:HASH_BYTES] != _hash(key, vector):
            log().error("cache.damaged", entry=key)
            return None
        return vector

    def put(self, key: str, vector: bytes) -> None:
        self._objects.put_named(_name(key), _hash(key, vector) + vector)


def _name(key: str) -> str:
    """Entries without a hash, of an earlier SERA, have names without this prefix."""
    return f"hashed/{key}"


def _hash(key: str, vector: bytes) -> bytes:
    digest = hashlib.sha256(key.encode())
    digest.update(b"\0")
    digest.update(vector)
    return digest.digest()


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
