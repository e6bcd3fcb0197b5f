"""Finds coded frames that are damaged, where their decoder does not.

The decoder of lossless JPEG and JPEG-LS fills what is missing, or reads noise, without a word.
"""

import imagecodecs

from shared.imaging.dicom.codestream import Coding
from shared.imaging.dicom.lossless_jpeg import is_damaged
from shared.imaging.dicom.samples import Samples
from shared.imaging.errors import ImageUnreadable

JPEG_SCAN = b"\xff\xda"
JPEG_END = b"\xff\xd9"


def check_complete(frame: bytes, coding: Coding) -> None:
    """Check that a lossless JPEG or JPEG-LS frame has its end.

    No coded value looks like the marker of the end.

    Raises
    ------
    ImageUnreadable
    """
    if coding not in (Coding.JPEG_LOSSLESS, Coding.JPEG_LS):
        return
    if frame.rfind(JPEG_END) <= frame.find(JPEG_SCAN):
        raise ImageUnreadable(
            format="DICOM", problem="its compressed frame is cut short"
        )


def check_undamaged(frame: bytes, coding: Coding, samples: Samples) -> None:
    """Check that the values of a lossless JPEG or JPEG-LS frame end where its scan ends.

    A damaged value moves the end of the values. CharLS says so of JPEG-LS.

    Parameters
    ----------
    samples : the decoded frame

    Raises
    ------
    ImageUnreadable
    """
    is_broken = coding is Coding.JPEG_LOSSLESS and is_damaged(frame, samples)
    if coding is Coding.JPEG_LS:
        try:
            imagecodecs.jpegls_decode(frame)
        except imagecodecs.JpeglsError:
            is_broken = True
    if is_broken:
        raise ImageUnreadable(format="DICOM", problem="its compressed frame is damaged")
