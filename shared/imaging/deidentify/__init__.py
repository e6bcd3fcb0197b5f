"""De-identification before anything is stored.

It covers the header, the metadata, and the pixels outside the ultrasound regions.
"""

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.cleaning import clean, clean_mask
from shared.imaging.deidentify.dicom.profile import METHOD
from shared.imaging.deidentify.text import BURNT_IN_TEXT, burnt_in_text

__all__ = [
    "BURNT_IN_TEXT",
    "METHOD",
    "CleanedFile",
    "burnt_in_text",
    "clean",
    "clean_mask",
]
