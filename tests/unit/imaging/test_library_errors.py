import logging
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from shared.imaging import ImageDecoderFailed, ImageFormat, ImageUnreadable, Limits
from shared.imaging.library_errors import translate_library_errors


def test_warnings_of_libraries_stay_inside():
    with warnings.catch_warnings(record=True) as caught_warnings:
        with translate_library_errors(ImageFormat.PNG, Limits()):
            warnings.warn("noise", UserWarning, stacklevel=1)
        assert caught_warnings == []


def test_warnings_outside_are_heard_again_after_several_threads_were_inside():
    together = Barrier(4)

    def read() -> None:
        with translate_library_errors(ImageFormat.PNG, Limits()):
            together.wait()
            warnings.warn("noise", UserWarning, stacklevel=1)

    with ThreadPoolExecutor(4) as threads:
        for reader in [threads.submit(read) for _ in range(4)]:
            reader.result()
    with pytest.warns(UserWarning, match="signal") as caught_warnings:
        warnings.warn("signal", UserWarning, stacklevel=1)
    assert len(caught_warnings) == 1


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, EOFError, RecursionError, NotImplementedError]
)
def test_every_exception_of_a_library_becomes_image_unreadable(error):
    with (
        pytest.raises(ImageUnreadable, match="damaged") as refusal,
        translate_library_errors(ImageFormat.DICOM, Limits()),
    ):
        raise error("Doe^Jane")
    assert "Doe" not in str(refusal.value)


def test_a_file_that_takes_too_much_memory_is_not_called_damaged():
    with (
        pytest.raises(ImageDecoderFailed, match="more memory") as refusal,
        translate_library_errors(ImageFormat.DICOM, Limits()),
    ):
        raise MemoryError("Doe^Jane")
    assert "Doe" not in str(refusal.value)


@pytest.mark.parametrize(
    "library", ["pydicom", "pydicom.filereader", "PIL", "PIL.TiffImagePlugin"]
)
def test_image_libraries_log_nothing(library):
    assert not logging.getLogger(library).isEnabledFor(logging.CRITICAL)


def test_the_libraries_stay_silent_whichever_module_of_imaging_is_imported_first():
    probe = (
        "import logging, shared.imaging.library_errors, pydicom\n"
        "assert not logging.getLogger('pydicom').isEnabledFor(logging.CRITICAL)"
    )
    completed = subprocess.run([sys.executable, "-c", probe], check=False)
    assert completed.returncode == 0


def test_importing_imaging_loads_no_learning_framework():
    probe = (
        "import sys, shared.imaging; "
        "sys.exit(bool({'torch', 'sklearn', 'torchvision'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
