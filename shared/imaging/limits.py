"""Bounds of the image size, checked before any pixel is decoded."""

from dataclasses import dataclass

from shared.imaging.errors import ImageTooLarge, ImageTooSmall


@dataclass(frozen=True)
class Limits:
    """Bounds of the decoded size of a file.

    The defaults fit any ultrasound screen and most phone cameras.
    """

    max_pixels: int = 40_000_000
    max_side_px: int = 16_384
    min_side_px: int = 8
    max_inflated_mib: int = 256
    """Maximum size of an inflated DICOM data set, and of all frames that are decoded together."""

    def too_large(self) -> ImageTooLarge:
        """Build the error for the caller to raise."""
        return ImageTooLarge(max_pixels=self.max_pixels, max_side_px=self.max_side_px)

    def check(self, width: int, height: int) -> None:
        """Check an image size in pixels.

        Raises
        ------
        ImageTooLarge, ImageTooSmall
        """
        if max(width, height) > self.max_side_px or width * height > self.max_pixels:
            raise self.too_large()
        if min(width, height) < self.min_side_px:
            raise ImageTooSmall(
                width=width, height=height, min_side_px=self.min_side_px
            )
