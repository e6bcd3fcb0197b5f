"""De-identification before anything is stored: header, metadata, and pixels outside the ultrasound regions."""

from shared.imaging.deidentify.cleaned import Cleaned
from shared.imaging.deidentify.cleaning import clean, clean_mask
from shared.imaging.deidentify.profile import METHOD

__all__ = ["METHOD", "Cleaned", "clean", "clean_mask"]
