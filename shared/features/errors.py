"""Errors of the feature extraction."""

from shared.errors import InputError


class EmptyRegion(InputError):
    code = "region-empty"
    text = "The region of interest holds no pixel, so it has no features. Outline the nodule again."


class UnknownFamily(InputError):
    code = "feature-family-unknown"
    text = "There is no feature family `{family}`. Known: {known}."


class TextureInvalid(InputError):
    code = "texture-invalid"
    text = (
        "Texture cannot be measured with {levels} grey levels at a distance of {distance} px. "
        "Take 2 to {most} levels, 16 or 256 by custom, and a distance of 1 or more."
    )
