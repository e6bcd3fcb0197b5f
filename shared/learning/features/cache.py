"""Where features are kept between fits; the trainer backs it by the object store."""

from typing import Protocol


class FeatureCache(Protocol):
    """Little-endian float32 vectors by key; a key names all that decides the vector, so an entry never goes stale."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, vector: bytes) -> None: ...


class NoCache:
    """Keeps nothing."""

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, vector: bytes) -> None:
        return None
