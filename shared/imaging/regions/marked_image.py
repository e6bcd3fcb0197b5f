"""An image with what a person marked on it."""

from dataclasses import dataclass

from shared.imaging.image import UltrasoundImage
from shared.imaging.regions.mask import NoduleMask
from shared.imaging.regions.roi import Roi


@dataclass(frozen=True, eq=False)
class MarkedImage:
    """A decoded image and the nodules that a person marked on it.

    Attributes
    ----------
    roi : the nodule that is read; None if nothing is marked
    other_rois : further nodules of a mask
    """

    image: UltrasoundImage
    roi: Roi | None = None
    other_rois: tuple[Roi, ...] = ()

    @classmethod
    def from_marks(
        cls, image: UltrasoundImage, roi: Roi | None, mask: NoduleMask | None
    ) -> "MarkedImage":
        """Return the image with what the mask marks; if that is nothing, with the ROI."""
        if mask is None:
            return cls(image, roi)
        image = image.with_findings(mask.findings)
        if mask.roi is None:
            return cls(image, roi)
        return cls(image, mask.roi, mask.other_rois)
