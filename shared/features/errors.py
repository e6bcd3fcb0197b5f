"""What features cannot be computed of."""

from shared.errors import InputError


class EmptyRegion(InputError):
    code = "region-empty"
    text = "The region of interest holds no pixel, so it has no features. Outline the nodule again."


class UnknownFamily(InputError):
    code = "feature-family-unknown"
    text = "There is no feature family `{family}`. Known: {known}."
