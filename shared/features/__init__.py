"""Handcrafted features: shape, intensity, GLCM, GLRLM, wavelet by IBSI's definitions; contrast and outline."""

from shared.features.errors import EmptyRegion, TextureInvalid, UnknownFamily
from shared.features.extract import (
    DEFAULT_DISTANCE,
    DEFAULT_LEVELS,
    FAMILIES,
    FeatureVector,
    TextureSettings,
    extract,
    feature_names,
)

__all__ = [
    "DEFAULT_DISTANCE",
    "DEFAULT_LEVELS",
    "FAMILIES",
    "EmptyRegion",
    "FeatureVector",
    "TextureInvalid",
    "TextureSettings",
    "UnknownFamily",
    "extract",
    "feature_names",
]
