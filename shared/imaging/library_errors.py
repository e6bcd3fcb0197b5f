"""The one place where what image libraries throw and warn about becomes ours."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from shared.errors import SeraError
from shared.imaging.errors import ImageBrokeDecoder, ImageUnreadable
from shared.imaging.limits import Limits

# Both log the values that they stumble over, which may be a patient's name, and which whoever sends them chooses.
for library in ("pydicom", "PIL"):
    logging.getLogger(library).setLevel(logging.CRITICAL + 1)

TOO_MUCH_MEMORY = "unfolding it takes more memory than an image may have"


class _Silence:
    """Python's warning filters are one per process: the first thread in saves them, the last out puts them back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._saved.__exit__(None, None, None)


_silence = _Silence()


@contextmanager
def reading(kind: str, limits: Limits) -> Iterator[None]:
    """Silence a library's warnings and turn whatever it throws on rotten data into `ImageUnreadable`.

    pydicom and Pillow have no common base for it: ValueError, KeyError, AttributeError, EOFError, struct.error,
    zlib.error, NotImplementedError, RuntimeError and RecursionError were all seen. The cause is not chained, since its
    message may quote the file.
    """
    with _silence:
        try:
            yield
        except SeraError:
            raise
        except Image.DecompressionBombError:
            raise limits.too_large() from None
        except MemoryError:
            raise ImageBrokeDecoder(problem=TOO_MUCH_MEMORY) from None
        except Exception:  # noqa: BLE001 - the boundary: everything leaves as a named error
            raise ImageUnreadable(
                format=kind.upper(), problem="it is cut short or damaged"
            ) from None
