"""Finds coded frames that are damaged, where their decoder does not.

The decoder of lossless JPEG and JPEG-LS fills what is missing, or reads noise, without a word.
"""

import imagecodecs

from shared.imaging.dicom.codestream import Coding
from shared.imaging.errors import ImageUnreadable

JPEG_SCAN = b"\xff\xda"
JPEG_END = b"\xff\xd9"


def check_complete(frame: bytes, coding: Coding) -> None:
    """Check that a lossless JPEG or JPEG-LS frame is whole.

    No coded value looks like the marker of its end. In JPEG-LS a damaged value moves the end of
    the values, so that CharLS does not find it at the marker.

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
    if coding is Coding.JPEG_LS:
        try:
            imagecodecs.jpegls_decode(frame)
        except imagecodecs.JpeglsError:
            raise ImageUnreadable(
                format="DICOM", problem="its compressed frame is damaged"
            ) from None
