"""What can be wrong with a tuning, each with the next step."""

from shared.errors import InputError


class StageUnknown(InputError):
    code = "stage-unknown"
    text = "The network {network} has no stage {stage!r} to freeze. Choose `frozen` from: {known}; or leave it out."
