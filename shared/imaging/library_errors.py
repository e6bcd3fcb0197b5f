"""Translates exceptions and warnings of the image libraries into SERA's errors."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pydicom.config  # sets pydicom's log level, so it must come before the line that mutes it
from PIL import Image

from shared.errors import SeraError
from shared.imaging.errors import ImageDecoderFailed, ImageUnreadable
from shared.imaging.limits import Limits

# Both libraries log values that they cannot read. Such a value may be a patient's name, and the
# sender of the file controls it.
for library in (pydicom.config.logger.name, "PIL"):
    logging.getLogger(library).setLevel(logging.CRITICAL + 1)

TOO_MUCH_MEMORY = "unfolding it takes more memory than an image may have"


class _SilencedWarnings:
    """Switches Python's warnings off while at least one thread is inside.

    The warning filters belong to the process. Therefore the first thread that enters saves them,
    and the last thread that leaves restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread_count = 0
        self._saved_filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._thread_count == 0:
                self._saved_filters = warnings.catch_warnings()
                self._saved_filters.__enter__()
                warnings.simplefilter("ignore")
            self._thread_count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._thread_count -= 1
            if self._thread_count == 0:
                self._saved_filters.__exit__(None, None, None)


_silenced_warnings = _SilencedWarnings()


@contextmanager
def translate_library_errors(file_kind: str, limits: Limits) -> Iterator[None]:
    """Silence a library's warnings and raise `ImageUnreadable` for its exceptions.

    pydicom and Pillow have no common base class for errors in bad data. ValueError, KeyError,
    AttributeError, EOFError, struct.error, zlib.error, NotImplementedError, RuntimeError and
    RecursionError have all occurred. The cause is not chained, because its message may quote the
    file.

    Parameters
    ----------
    file_kind : format of the file, for the message
    limits : bounds of the image size, for the message
    """
    with _silenced_warnings:
        try:
            yield
        except SeraError:
            raise
        except Image.DecompressionBombError:
            raise limits.too_large() from None
        except MemoryError:
            raise ImageDecoderFailed(problem=TOO_MUCH_MEMORY) from None
        except Exception:  # noqa: BLE001 - the boundary: everything leaves as a named error
            raise ImageUnreadable(
                format=file_kind.upper(), problem="it is cut short or damaged"
            ) from None
