"""Finds coded frames that are damaged, where their decoder does not.

The decoder of JPEG fills what is missing, or reads noise, without a word. Those of JPEG-LS and
JPEG 2000 say so.
"""

from shared.imaging.dicom import dct_jpeg, lossless_jpeg
from shared.imaging.dicom.codestream import Codestream, Coding
from shared.imaging.dicom.samples import Samples
from shared.imaging.errors import ImageUnreadable

JPEG_SCAN = b"\xff\xda"
JPEG_END = b"\xff\xd9"
PILLOW_BITS = 8
"""Pillow refuses a JPEG of this depth that is cut short."""


def check_complete(frame: bytes, codestream: Codestream) -> None:
    """Check that a JPEG or JPEG-LS frame has its end, unless its decoder does.

    No coded value looks like the marker of the end.

    Raises
    ------
    ImageUnreadable
    """
    has_end = frame.rfind(JPEG_END) > frame.find(JPEG_SCAN)
    is_lossless = codestream.coding in (Coding.JPEG_LOSSLESS, Coding.JPEG_LS)
    if not has_end and (is_lossless or _is_deep_dct(codestream)):
        raise ImageUnreadable(
            format="DICOM", problem="its compressed frame is cut short"
        )


def check_undamaged(frame: bytes, codestream: Codestream, samples: Samples) -> None:
    """Check that the values of a lossless JPEG, or of one of 12 bits, end where its scan ends.

    A damaged value moves the end of the values.

    Parameters
    ----------
    samples : the decoded frame

    Raises
    ------
    ImageUnreadable
    """
    is_damaged = False
    if codestream.coding is Coding.JPEG_LOSSLESS:
        is_damaged = lossless_jpeg.is_damaged(frame, samples)
    elif _is_deep_dct(codestream):
        is_damaged = dct_jpeg.is_damaged(frame)
    if is_damaged:
        raise ImageUnreadable(format="DICOM", problem="its compressed frame is damaged")


def _is_deep_dct(codestream: Codestream) -> bool:
    is_dct = codestream.coding is Coding.JPEG_DCT
    return is_dct and codestream.precision > PILLOW_BITS
