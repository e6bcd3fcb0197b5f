"""The cache of features between fits; the trainer implements it on the object store."""

from typing import Protocol


class FeatureCache(Protocol):
    """Stores little-endian float32 vectors by key.

    A key names all that decides its vector, so an entry never goes stale.
    """

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, vector: bytes) -> None: ...


class NoCache:
    """Stores nothing."""

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, vector: bytes) -> None:
        return None
