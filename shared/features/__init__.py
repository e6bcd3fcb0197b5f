"""Handcrafted image features of a nodule.

Shape, intensity, GLCM, GLRLM and wavelet features follow the IBSI definitions. Contrast and outline
features are SERA's own.
"""

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
