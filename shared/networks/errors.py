"""What can be wrong with a network or its weights, each with the next step."""

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
        "The pre-trained weights of {network} are missing: no {files} in {folder}, and the download from {url} failed "
        "({problem}). Put the file into a folder and name that folder in SERA_WEIGHTS_DIR."
    )


class WeightsUnreadable(SeraError):
    code = "weights-unreadable"
    status = 422
    text = "The weight file {file} does not fit {network} ({problem}). Replace it by torchvision's own file."
