"""Classifiers, cross-validation, calibration, fusion and the fitted model."""

from shared.learning.cache import FeatureCache, NoCache
from shared.learning.errors import (
    FeaturesNotFinite,
    GroupOnBothSides,
    NoneReadable,
    SingleClass,
    TooFewSamples,
)
from shared.learning.evidence import Evidence, Reference
from shared.learning.fit import assemble, fit, fit_reading
from shared.learning.fits import Fits
from shared.learning.model import FittedModel, FittedReader, Training
from shared.learning.phantom_samples import phantom_nodule, phantom_samples
from shared.learning.progress import Progress, silent
from shared.learning.sample import Sample, check_apart, check_classes
from shared.learning.stored import StoredTable
from shared.learning.table import Skipped, precompute
from shared.learning.workbench import (
    Workbench,
    build_extractor,
    fingerprint,
    framing,
    tuning_keys,
)

__all__ = [
    "Evidence",
    "FeatureCache",
    "FeaturesNotFinite",
    "Fits",
    "FittedModel",
    "FittedReader",
    "GroupOnBothSides",
    "NoCache",
    "NoneReadable",
    "Progress",
    "Reference",
    "Sample",
    "SingleClass",
    "Skipped",
    "StoredTable",
    "TooFewSamples",
    "Training",
    "Workbench",
    "assemble",
    "build_extractor",
    "check_apart",
    "check_classes",
    "fingerprint",
    "fit",
    "fit_reading",
    "framing",
    "phantom_nodule",
    "phantom_samples",
    "precompute",
    "silent",
    "tuning_keys",
]
