"""Errors of a training set, an image or a training run, each with the next step."""

from shared.errors import InputError, SeraError


class SingleClass(InputError):
    code = "single-class"
    text = (
        "All {count} labelled images are {label}. "
        "Add images of the other class, then train again."
    )


class TooFewSamples(InputError):
    code = "too-few-samples"
    text = (
        "There are {benign} benign and {malignant} malignant patients (an image whose patient is "
        "unknown counts as one); cross-validation "
        "needs at least {needed} of each. Add labelled images, then train again."
    )


class TooFewSiteImages(InputError):
    code = "too-few-site-images"
    text = (
        "There are {count} images of this site to take its statistics from; they need at least "
        "{needed}. Add images of the site; they need no label."
    )


class GroupInTrainAndTest(InputError):
    code = "group-on-both-sides"
    text = (
        "{count} patients (an image whose patient is unknown counts as one) are in training and "
        "in test, {examples} among them. "
        "Put all images of a patient on one side."
    )


class FeaturesNotFinite(InputError):
    code = "features-not-finite"
    text = (
        "The {features} features of this image are not finite numbers, so it cannot be read. "
        "Outline the nodule again."
    )


class NoReadableImages(InputError):
    code = "none-readable"
    text = (
        "None of the {count} images could be read (the reason for the first: {code}). "
        "Look at the files and outlines, then train again."
    )


class StoredTableMissing(SeraError):
    code = "table-lost"
    text = (
        "The table that joined the features of this run is gone from the object store. "
        "Start the run again: the features of each image are kept, so they are not computed again."
    )
