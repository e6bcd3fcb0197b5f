"""Handcrafted features: shape, intensity, GLCM, GLRLM, wavelet by IBSI's definitions; contrast and outline."""

from shared.features.errors import EmptyRegion, TextureInvalid, UnknownFamily
from shared.features.extract import (
    DISTANCE,
    FAMILIES,
    LEVELS,
    FeatureVector,
    Texture,
    extract,
    names,
)

__all__ = [
    "DISTANCE",
    "FAMILIES",
    "LEVELS",
    "EmptyRegion",
    "FeatureVector",
    "Texture",
    "TextureInvalid",
    "UnknownFamily",
    "extract",
    "names",
]
