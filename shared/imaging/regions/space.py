"""Turns an ROI in the coordinates of the stored pixels into those of the upright picture."""

from shared.domain.roi_space import RoiSpace
from shared.imaging.errors import RoiInvalid
from shared.imaging.image import Header, ImageFormat
from shared.imaging.raster.orientation import Orientation
from shared.imaging.regions.roi import Point, Roi


def to_upright(roi: Roi, space: RoiSpace, header: Header) -> Roi:
    """Return an ROI in pixels of the upright image.

    Raises
    ------
    RoiInvalid
        for the stored pixels of HEIC, which its decoder turns.
    RoiOutsideImage
        if it reaches beyond the image in its own space.
    """
    if space is RoiSpace.UPRIGHT:
        roi.check_inside(header.width, header.height)
        return roi
    if header.format is ImageFormat.HEIC:
        raise RoiInvalid(
            problem="HEIC is always read upright, so its ROI must be in upright pixels: leave out "
            "`roi_space`"
        )
    orientation = header.orientation
    width, height = orientation.size(header.width, header.height)
    roi.check_inside(width, height)
    if roi.box:
        return Roi(box=_turn_box(roi.box, orientation, width, height))
    points = roi.polygon or ()
    return Roi(
        polygon=tuple(
            _turn_point(point, orientation, width, height) for point in points
        )
    )


def _turn_box(
    box: tuple[float, float, float, float],
    orientation: Orientation,
    width: int,
    height: int,
) -> tuple[float, float, float, float]:
    """Turn a box, whose coordinates are edges of pixels."""
    x, y, box_width, box_height = box
    if orientation.flips_x:
        x = width - x - box_width
    if orientation.flips_y:
        y = height - y - box_height
    if orientation.swaps_axes:
        return y, x, box_height, box_width
    return x, y, box_width, box_height


def _turn_point(
    point: Point, orientation: Orientation, width: int, height: int
) -> Point:
    """Turn a corner of a polygon, whose coordinates are centres of pixels."""
    x, y = point
    if orientation.flips_x:
        x = max(width - 1 - x, 0.0)
    if orientation.flips_y:
        y = max(height - 1 - y, 0.0)
    return (y, x) if orientation.swaps_axes else (x, y)
