"""Decides who may read the metrics of a process."""

import hmac

from shared.security.loopback import is_loopback
from shared.settings import Settings

SCHEME = "bearer "


class MetricsAccess:
    """The key of the metrics (SERA_METRICS_KEY), and whether they may be read without one.

    Metrics say how much a hospital's doctors work and what is broken. Without a key they are
    readable only outside of production, from a process that listens on this machine alone.
    """

    def __init__(self, settings: Settings, host: str) -> None:
        """`host` is the address on which the process serves its metrics."""
        self._key = settings.metrics_key
        self.is_open = (
            self._key is None and not settings.production and is_loopback(host)
        )

    def has_key(self, authorization: str | None) -> bool:
        """Whether an Authorization header carries the key of the metrics."""
        if self._key is None or authorization is None:
            return False
        key = authorization[len(SCHEME) :].strip()
        has_scheme = authorization.lower().startswith(SCHEME)
        expected = self._key.get_secret_value()
        return has_scheme and hmac.compare_digest(key.encode(), expected.encode())
