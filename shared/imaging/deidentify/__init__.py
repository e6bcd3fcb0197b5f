"""De-identification before anything is stored.

It covers the header, the metadata, the pixels outside the ultrasound regions and, where a hospital
wishes it, text beside the tissue.
"""

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.cleaning import clean, clean_mask
from shared.imaging.deidentify.dicom.profile import METHOD
from shared.imaging.deidentify.text_blanking import blank_text, clean_and_blank_text
from shared.imaging.deidentify.tissue import BURNT_IN_TEXT, burnt_in_text

__all__ = [
    "BURNT_IN_TEXT",
    "METHOD",
    "CleanedFile",
    "blank_text",
    "burnt_in_text",
    "clean",
    "clean_and_blank_text",
    "clean_mask",
]
