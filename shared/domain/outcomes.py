"""Sources of the outcome of a case, which is its final diagnosis."""

from enum import StrEnum


class OutcomeSource(StrEnum):
    """How the outcome became known, the most reliable source first."""

    HISTOLOGY = "histology"
    CYTOLOGY = "cytology"
    FOLLOW_UP = "follow-up"
