"""From an image's bytes to the nodule: decoded, looked at for what has to be known of it, and cut out."""

from collections.abc import Callable
from dataclasses import replace

from shared.domain.image_source import ImageSource
from shared.domain.results.findings import Finding
from shared.imaging import (
    Framing,
    Nodule,
    Roi,
    UltrasoundImage,
    crop,
    decode,
    photos,
    read_mask_roi,
)
from shared.imaging.deidentify import burnt_in_text
from shared.observability.timings import measure

Decode = Callable[[bytes, int | None], UltrasoundImage]
"""Bytes and the frame's number from 1 (None: the middle one) -> the trusted image."""

PHOTO = Finding(
    "photo",
    "This result came from a photo of a screen. A photo changes grey levels and texture, and no model was trained on "
    "photos: send the scanner's own image where you can.",
)


def decode_in_process(data: bytes, frame: int | None) -> UltrasoundImage:
    """Decode in this process, where a file that breaks a decoder may end it."""
    return decode(data, frame=frame)


def prepare(
    data: bytes,
    framing: Framing,
    *,
    roi: Roi | None = None,
    mask: bytes | None = None,
    frame: int | None = None,
    source: str = ImageSource.FILE,
    decoder: Decode = decode_in_process,
) -> Nodule:
    """Decode an image and cut its nodule out.

    Parameters
    ----------
    data : the image file
    framing : how the model wants nodules cut out
    roi : where the nodule is; without it and without a mask, what `crop` finds
    mask : a mask image of the same size, in place of an ROI
    frame : of a loop, from 1; the middle one where it is left out
    source : `file`, or `photo` of a screen
    decoder : where to decode

    Raises
    ------
    SeraError of the image, the ROI or the mask
    """
    with measure("decode"):
        image = decoder(data, frame)
    with measure("preprocess"):
        image = with_text_finding(image)
        if source == ImageSource.PHOTO:
            image = with_photo_findings(image)
        if mask is not None:
            height, width = image.pixels.shape
            roi = read_mask_roi(mask, width, height)
        return crop(image, roi, framing)


def with_text_finding(image: UltrasoundImage) -> UltrasoundImage:
    """The image with a finding on burnt-in text.

    A file that names its ultrasound regions is left out: everything outside them is blanked before it is stored.
    """
    if image.region:
        return image
    return replace(image, findings=(*image.findings, *burnt_in_text(image.pixels)))


def with_photo_findings(image: UltrasoundImage) -> UltrasoundImage:
    """The image with findings on what a photo of a screen may have spoilt."""
    faults = photos.measure_faults(image.pixels)
    return replace(image, findings=(*image.findings, PHOTO, *photos.fault_findings(faults)))
