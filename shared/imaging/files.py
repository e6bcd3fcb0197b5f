"""Reads images from files in a folder, for the command line and studies."""

from pathlib import Path

from shared.domain.regular_files import read_file
from shared.imaging.decode import decode
from shared.imaging.regions.marked_image import MarkedImage
from shared.imaging.regions.mask import read_mask
from shared.imaging.regions.roi import Roi


def read_marked_image(
    path: Path, *, mask: Path | None = None, roi: Roi | None = None
) -> MarkedImage:
    """Decode an image file, with the nodule that its mask marks or, if it marks none, the ROI.

    Raises
    ------
    FileUnreadable, and the errors of `decode` and `read_mask`
    """
    image = decode(read_file(path))
    if not mask:
        return MarkedImage(image, roi)
    height, width = image.pixels.shape
    nodule_mask = read_mask(read_file(mask), width=width, height=height)
    return MarkedImage.from_marks(image, roi, nodule_mask)
