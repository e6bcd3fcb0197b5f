"""Reads images from files in a folder, for the command line and studies."""

from pathlib import Path

from shared.domain.regular_files import read_file
from shared.imaging.decode import decode
from shared.imaging.image import Nodule
from shared.imaging.regions.crop import Framing, crop
from shared.imaging.regions.mask import read_mask
from shared.imaging.regions.roi import Roi


def read_nodule(
    image: Path, *, framing: Framing, mask: Path | None = None, roi: Roi | None = None
) -> Nodule:
    """Decode an image file and crop the nodule: by its mask if that marks one, else by the ROI.

    Raises
    ------
    FileUnreadable, and the errors of `decode`, `read_mask` and `crop`
    """
    ultrasound_image = decode(read_file(image))
    height, width = ultrasound_image.pixels.shape
    if mask:
        nodule_mask = read_mask(read_file(mask), width=width, height=height)
        ultrasound_image = ultrasound_image.with_findings(nodule_mask.findings)
        roi = nodule_mask.roi or roi
    return crop(ultrasound_image, roi, framing)
