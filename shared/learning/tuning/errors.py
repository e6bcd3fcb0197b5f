"""Errors of tuning, each with the next step."""

from shared.errors import InputError


class StageUnknown(InputError):
    code = "stage-unknown"
    text = (
        "The network {network} has no stage {stage!r} to freeze. "
        "Choose `frozen` from: {known}; or leave it out."
    )


class TuningDiverged(InputError):
    code = "tuning-diverged"
    text = (
        "Tuning ran away at every rate tried ({rates}). "
        "Give smaller `rates` in the recipe's table `tuning`."
    )
