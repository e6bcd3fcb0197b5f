"""The object store: images, bundles and cached features, in a directory or an S3 bucket."""

from shared.objects.errors import (
    KeyInvalid,
    ObjectCorrupt,
    ObjectDamaged,
    ObjectMissing,
    ObjectsRefused,
    ObjectsUnavailable,
    StoreUrlInvalid,
)
from shared.objects.location import open_store
from shared.objects.store import ObjectStore, StoredObject

__all__ = [
    "KeyInvalid",
    "ObjectCorrupt",
    "ObjectDamaged",
    "ObjectMissing",
    "ObjectStore",
    "ObjectsRefused",
    "ObjectsUnavailable",
    "StoreUrlInvalid",
    "StoredObject",
    "open_store",
]
