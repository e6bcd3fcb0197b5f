"""Decodes the bytes of a file to a trusted image."""

from io import BytesIO

from shared.imaging.dicom import reader as dicom
from shared.imaging.file_type import inspect
from shared.imaging.image import ImageFormat, UltrasoundImage
from shared.imaging.limits import Limits
from shared.imaging.raster import reader as raster


def decode(
    data: bytes, limits: Limits | None = None, frame: int | None = None
) -> UltrasoundImage:
    """Decode a PNG, JPEG, BMP, TIFF, WebP, HEIC or DICOM file to 8-bit grey.

    Parameters
    ----------
    data : the whole file
    limits : maximum size of the decoded image, checked on the header first
    frame : number of the frame in a loop, counted from 1; by default the middle frame

    Returns
    -------
    UltrasoundImage
        `pixels` (height, width) uint8, upright as displayed.

    Raises
    ------
    EmptyImage, UnsupportedImage, ImageTooLarge, ImageTooSmall, ImageUnreadable
    FrameMissing
        if the file holds no such frame.
    """
    limits = limits or Limits()
    header = inspect(BytesIO(data), limits)
    index = header.frame_index(frame)
    if header.format is ImageFormat.DICOM:
        return dicom.read_image(
            data,
            header=header,
            limits=limits,
            index=index,
            is_requested=frame is not None,
        )
    return raster.read_image(data, header, limits)
