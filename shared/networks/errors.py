"""Errors of networks and their weights, each with the next step."""

from shared.errors import SeraError


class NetworkUnknown(SeraError):
    code = "network-unknown"
    status = 422
    text = "There is no network {name!r}. Choose one of: {known}."


class TapUnknown(SeraError):
    code = "tap-unknown"
    status = 422
    text = "The network {network} has no tap {tap!r}. Choose from: {known}."


class WeightsMissing(SeraError):
    code = "weights-missing"
    status = 422
    text = (
        "The pre-trained weights of {network} are missing: no {files} in {folder}, and {download}. "
        "Put the file into a folder and name that folder in SERA_WEIGHTS_DIR; "
        "docs/networks.md says where it is from."
    )


class WeightsUnpublished(WeightsMissing):
    code = "weights-unpublished"
    text = (
        "There are no pre-trained weights of {network}: it is trained by us, from nothing. "
        'Set `tuning = "phantoms"` for it in the recipe, or choose another network.'
    )


class WeightsUnreadable(SeraError):
    code = "weights-unreadable"
    status = 422
    text = (
        "The weight file {file} does not fit {network} ({problem}). "
        "Replace it by one that docs/networks.md names for this network."
    )
