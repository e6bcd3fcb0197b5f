"""From the image to the nodule."""

import numpy as np

from shared.imaging.image import Box, Finding, Nodule, UltrasoundImage
from shared.imaging.roi import Roi

NO_ROI = Finding(
    "roi-absent", "No ROI was given, so the whole B-mode image was read. A box around the nodule is better."
)


def crop(image: UltrasoundImage, roi: Roi | None, margin: float = 0.0) -> Nodule:
    """Cut the nodule out.

    Parameters
    ----------
    image : the decoded image
    roi : where the nodule is; without one the B-mode region is taken where known, else the whole image
    margin : tissue to keep around the ROI, as a fraction of its width and height on each side; clipped to the image

    Returns
    -------
    Nodule
        `mask` marks the ROI itself, without the margin.

    Raises
    ------
    RoiOutsideImage
    """
    height, width = image.pixels.shape
    if roi is None:
        frame = image.region or Box(0, 0, width, height)
        pixels = _cut(image, frame)
        return Nodule(pixels, np.ones(pixels.shape, bool), findings=(*image.findings, NO_ROI))
    roi.check_inside(width, height)
    frame = _grown(roi.bounds, margin, width, height)
    return Nodule(_cut(image, frame), roi.mask(frame), outlined=roi.polygon is not None, findings=image.findings)


def _grown(box: Box, margin: float, width: int, height: int) -> Box:
    along_x, along_y = round(margin * box.width), round(margin * box.height)
    left, top = max(box.x - along_x, 0), max(box.y - along_y, 0)
    right, bottom = min(box.x + box.width + along_x, width), min(box.y + box.height + along_y, height)
    return Box(left, top, right - left, bottom - top)


def _cut(image: UltrasoundImage, frame: Box) -> np.ndarray:
    return np.ascontiguousarray(image.pixels[frame.y : frame.y + frame.height, frame.x : frame.x + frame.width])
