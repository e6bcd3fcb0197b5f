"""Handcrafted features: shape, intensity, GLCM, GLRLM, wavelet; IBSI's definitions."""

from shared.features.errors import EmptyRegion, TextureInvalid, UnknownFamily
from shared.features.extract import DISTANCE, FAMILIES, LEVELS, FeatureVector, Texture, extract, names

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
