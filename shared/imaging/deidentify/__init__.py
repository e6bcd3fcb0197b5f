"""De-identification before anything is stored.

It is about the header, the metadata, the pixels outside the ultrasound regions, the areas that a
sender covers and, where a hospital wishes it, text beside the tissue.
"""

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.cleaning import clean, clean_mask
from shared.imaging.deidentify.covers import parse_covers
from shared.imaging.deidentify.dicom.profile import METHOD
from shared.imaging.deidentify.text_blanking import (
    blank_text,
    clean_and_paint,
    cover,
)
from shared.imaging.deidentify.tissue import BURNT_IN_TEXT, burnt_in_text

__all__ = [
    "BURNT_IN_TEXT",
    "METHOD",
    "CleanedFile",
    "blank_text",
    "burnt_in_text",
    "clean",
    "clean_and_paint",
    "clean_mask",
    "cover",
    "parse_covers",
]
