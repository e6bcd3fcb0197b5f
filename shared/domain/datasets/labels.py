"""The words for malignant and benign that a table may use."""

from collections.abc import Iterable

from shared.domain.identity import identity_key

MALIGNANT_WORDS = ("1", "1.0", "true", "yes", "malignant", "악성")
BENIGN_WORDS = ("0", "0.0", "false", "no", "benign", "양성")
"""pandas writes `1.0` and `0.0` if a label is missing somewhere in the table."""
AMBIGUOUS_WORD = "양성"
CLEARING_WORD = "악성"
"""`양성` is `benign` of a nodule, and `positive` of a test. So it counts only in a table that has
`악성` too.
"""
LABELS = dict.fromkeys(MALIGNANT_WORDS, True) | dict.fromkeys(BENIGN_WORDS, False)


def parse_label(text: str) -> bool | None:
    """Return whether the word means malignant; None if SERA does not know it.

    Case, width and spaces do not count.
    """
    return LABELS.get(identity_key(text))


def are_korean_labels_clear(labels: Iterable[str]) -> bool:
    """Whether the labels of a table leave no doubt about what `양성` means in it."""
    keys = {identity_key(label) for label in labels}
    return AMBIGUOUS_WORD not in keys or CLEARING_WORD in keys


def is_ambiguous(text: str) -> bool:
    return identity_key(text) == AMBIGUOUS_WORD
