"""Decodes an image, checks it, and crops its nodule."""

from collections.abc import Callable

from shared.domain.image_source import ImageSource
from shared.domain.results.findings import Finding
from shared.imaging import (
    Framing,
    MarkedImage,
    Nodule,
    Roi,
    UltrasoundImage,
    crop,
    decode,
    photos,
    read_mask,
)
from shared.imaging.deidentify import burnt_in_text
from shared.observability.timings import measure

Decode = Callable[[bytes, int | None], UltrasoundImage]
"""Decodes bytes and the number of a frame (from 1; None: the middle frame) to a checked image."""

PHOTO = Finding(
    "photo",
    "This result came from a photo of a screen. A photo changes grey levels and texture, and no "
    "model was trained on photos: send the scanner's own image where you can.",
)


def decode_in_process(data: bytes, frame: int | None) -> UltrasoundImage:
    """Decode in this process. A harmful file may crash the process."""
    return decode(data, frame=frame)


def prepare(
    data: bytes,
    framing: Framing,
    *,
    roi: Roi | None = None,
    mask: bytes | None = None,
    frame: int | None = None,
    source: str = ImageSource.FILE,
    find_text: bool = True,
    decoder: Decode = decode_in_process,
) -> Nodule:
    """Decode an image and crop its nodule.

    Parameters
    ----------
    data : the image file
    framing : how the model wants nodules cropped
    roi : the region of the nodule; without an ROI and a mask `crop` searches for one
    mask : a mask image of the same size. What it marks is read instead of the ROI
    frame : the frame of a loop, from 1; None: the middle one
    source : `file`, or `photo` of a screen
    find_text : whether burnt-in text is looked for
    decoder : decodes the image, in this or another process

    Raises
    ------
    SeraError
        of the image, the ROI or the mask
    """
    with measure("decode"):
        image = decoder(data, frame)
    with measure("preprocess"):
        if find_text:
            image = with_text_finding(image)
        if source == ImageSource.PHOTO:
            image = with_photo_findings(image)
        marked = MarkedImage(image, roi)
        if mask is not None:
            height, width = image.pixels.shape
            nodule_mask = read_mask(mask, width, height)
            marked = MarkedImage.from_marks(image, roi, nodule_mask)
        return crop(marked.image, marked.roi, framing)


def with_text_finding(image: UltrasoundImage) -> UltrasoundImage:
    """Return the image with a finding for burnt-in text.

    It is looked for in the whole picture, whether the file names its regions or not: a region may
    cover a banner.
    """
    return image.with_findings(burnt_in_text(image))


def with_photo_findings(image: UltrasoundImage) -> UltrasoundImage:
    """Return the image with findings for the faults of a photo of a screen."""
    faults = photos.measure_faults(image.pixels)
    return image.with_findings((PHOTO, *photos.fault_findings(faults)))
