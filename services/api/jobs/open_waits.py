"""Limits how many long polls and event streams each key or session has open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.cases.admission import LimitReached
from shared.settings import Settings


class TooManyWaits(LimitReached):
    code = "too-many-waiting"
    retry_after_s = 5
    text = (
        "This key or session has {limit} requests open already that wait for a change. End some, "
        "or try again later."
    )


class OpenWaits:
    """Counts the long polls and event streams of each credential, in one event loop.

    Each of them rereads its job every 2 s, so their number costs even if nothing changes.
    """

    def __init__(self, settings: Settings) -> None:
        self._max_polls = settings.long_polls_per_key
        self._max_streams = settings.event_streams_per_key
        self._polls: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()

    @contextmanager
    def poll(self, credential: str) -> Iterator[None]:
        """Count a long poll meanwhile. Raises TooManyWaits."""
        with _counted(self._polls, credential, self._max_polls):
            yield

    @contextmanager
    def stream(self, credential: str) -> Iterator[None]:
        """Count an event stream meanwhile. Raises TooManyWaits."""
        with _counted(self._streams, credential, self._max_streams):
            yield


@contextmanager
def _counted(counts: Counter[str], credential: str, limit: int) -> Iterator[None]:
    if counts[credential] >= limit:
        raise TooManyWaits(limit=limit)
    counts[credential] += 1
    try:
        yield
    finally:
        counts[credential] -= 1
        if not counts[credential]:
            del counts[credential]
