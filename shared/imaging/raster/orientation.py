"""Turns pictures and regions upright, by the orientation that a file states."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding

ORIENTATION_TAG = 0x0112
"""Number of the orientation in EXIF and TIFF."""


@dataclass(frozen=True)
class Orientation:
    """How the stored picture is made upright (EXIF 2.32, tag 0x0112; TIFF 6.0, section 8).

    The stored picture is mirrored first, and then its rows become columns.

    Attributes
    ----------
    number : its value in the file, 1 to 8
    flips_x, flips_y : whether the columns, and the rows, are read backwards
    swaps_axes : whether rows become columns
    degrees : the clockwise turn that follows a mirroring from left to right
    is_mirrored : whether the picture is mirrored
    """

    number: int = 1
    flips_x: bool = False
    flips_y: bool = False
    swaps_axes: bool = False
    degrees: int = 0
    is_mirrored: bool = False

    def upright(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the upright picture of a stored one, (height, width) or with channels."""
        if self.flips_x:
            pixels = pixels[:, ::-1]
        if self.flips_y:
            pixels = pixels[::-1]
        if self.swaps_axes:
            pixels = pixels.swapaxes(0, 1)
        return np.array(pixels, order="C")

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height after the turn; it also reverts itself."""
        return (height, width) if self.swaps_axes else (width, height)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return a finding if the picture is turned."""
        if self == UPRIGHT:
            return ()
        return (_turned(self.degrees, is_mirrored=self.is_mirrored),)


UPRIGHT = Orientation()
ORIENTATIONS = (
    UPRIGHT,
    Orientation(number=2, flips_x=True, is_mirrored=True),
    Orientation(number=3, flips_x=True, flips_y=True, degrees=180),
    Orientation(number=4, flips_y=True, degrees=180, is_mirrored=True),
    Orientation(number=5, swaps_axes=True, degrees=270, is_mirrored=True),
    Orientation(number=6, flips_y=True, swaps_axes=True, degrees=90),
    Orientation(
        number=7,
        flips_x=True,
        flips_y=True,
        swaps_axes=True,
        degrees=90,
        is_mirrored=True,
    ),
    Orientation(number=8, flips_x=True, swaps_axes=True, degrees=270),
)


def orientation_of(number: object) -> Orientation:
    """Return the orientation by its number in the file; other values mean upright."""
    if isinstance(number, bytes) and len(number) == 1:
        # Some writers give the tag the type BYTE.
        number = number[0]
    for orientation in ORIENTATIONS:
        if orientation.number == number:
            return orientation
    return UPRIGHT


def _turned(degrees: int, is_mirrored: bool) -> Finding:
    steps = ["mirrored"] if is_mirrored else []
    if degrees:
        steps.append(f"turned by {degrees} degrees clockwise")
    return Finding(
        "turned",
        f"By the orientation in its file, the picture was {' and '.join(steps)} before it was "
        "read. Pixel coordinates are those of this upright picture: check that the ROI encloses "
        "the nodule.",
        {"degrees": degrees, "mirrored": is_mirrored},
    )
