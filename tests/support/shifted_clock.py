"""`python -m tests.support.shifted_clock SECONDS MODULE`: runs a service with a wall clock that is
that far off; monotonic ones stay.

The clock is wrong before anything of SERA is imported, so that nothing keeps the right one.
"""

import datetime
import importlib
import runpy
import sys
import time

PRELOADED_MODULES = {"services.worker": ("zoneinfo", "sklearn.utils.validation")}
"""Compiled modules that take the datetime they meet for the real one; none of them asks what time
it is.
"""


def shift(seconds: float) -> None:
    """Put `time.time` and the `now` of every datetime to come so many seconds off."""
    true_time = time.time
    true_time_ns = time.time_ns
    true = datetime.datetime
    shift = datetime.timedelta(seconds=seconds)

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, true)

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, true)

    class Shifted(true, metaclass=Kind):
        __slots__ = ()  # compiled modules check its size

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return true.now(tz) + shift

        @classmethod
        def utcnow(cls) -> datetime.datetime:
            return true.now(datetime.UTC).replace(tzinfo=None) + shift

    time.time = lambda: true_time() + seconds
    time.time_ns = lambda: true_time_ns() + int(seconds * 1e9)
    datetime.datetime = Shifted


if __name__ == "__main__":
    module = sys.argv[2]
    for preloaded in PRELOADED_MODULES.get(module, ()):
        importlib.import_module(preloaded)
    shift(float(sys.argv[1]))
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
