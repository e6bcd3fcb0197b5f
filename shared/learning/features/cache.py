"""The cache of features between fits; the trainer implements it on the object store."""

from typing import Protocol


class FeatureCache(Protocol):
    """Stores little-endian float32 vectors by key.

    A key covers everything that determines its vector, so an entry never becomes outdated.
    """

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, vector: bytes) -> None: ...


class NoCache:
    """Stores nothing."""

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, vector: bytes) -> None:
        return None
