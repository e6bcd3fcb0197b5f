"""Handcrafted features: shape, intensity, GLCM, GLRLM, wavelet; IBSI's definitions."""

from shared.features.errors import EmptyRegion, UnknownFamily
from shared.features.extract import FAMILIES, LEVELS, FeatureVector, extract, names

__all__ = ["FAMILIES", "LEVELS", "EmptyRegion", "FeatureVector", "UnknownFamily", "extract", "names"]
