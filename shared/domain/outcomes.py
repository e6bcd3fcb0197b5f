"""What a case turned out to be."""

from enum import StrEnum


class OutcomeSource(StrEnum):
    """How it became known, the surest first."""

    HISTOLOGY = "histology"
    CYTOLOGY = "cytology"
    FOLLOW_UP = "follow-up"
