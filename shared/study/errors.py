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


class FoldersAlike(InputError):
    code = "folders-alike"
    text = (
        "Two of the folders are named {name}, and a folder's name is the name of its site. "
        "Give each folder once, and each a name of its own, then run the command again."
    )


class ImageAtTwoSites(InputError):
    code = "image-at-two-sites"
    text = (
        "{count} images are in two folders or at two sites, {examples} among them, so a site "
        "could be judged by a model that has seen its images. "
        "Keep each image in one folder and at one site, then run the command again."
    )


class OutputUnwritable(SeraError):
    code = "output-unwritable"
    text = (
        "{path} cannot be written ({problem}). Free some space or choose another folder; "
        "what was kept so far is used again."
    )
