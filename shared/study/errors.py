"""Errors of a study's folder and output."""

from shared.errors import InputError, SeraError


class RowInvalid(InputError):
    code = "row-invalid"
    text = (
        "{path} cannot be studied: {problem}. Correct the manifest, then run the "
        "command again."
    )


class NothingToStudy(InputError):
    code = "nothing-to-study"
    text = (
        "{path} has no labelled image to study. "
        "Fill in its column `malignant`, 1 for malignant and 0 for benign."
    )


class OutputUnwritable(SeraError):
    code = "output-unwritable"
    text = (
        "{path} cannot be written ({problem}). Free some space or choose another folder; "
        "what was kept so far is used again."
    )
