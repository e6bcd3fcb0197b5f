"""What a hospital wants done about text that is burnt into its images."""

from enum import StrEnum


class TextPolicy(StrEnum):
    """The setting `blank_text` of a hospital."""

    OFF = "off"
    """Nothing is looked for and nothing is said."""
    WARN = "warn"
    """The result warns of text. Nothing is painted over."""
    BLANK = "blank"
    """Text beside the tissue is painted over before the image is stored; of other text the
    result warns."""


DEFAULT_TEXT_POLICY = TextPolicy.WARN
