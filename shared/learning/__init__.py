"""Classifiers, cross-validation, calibration, fusion and the fitted model."""

from shared.learning.classifiers.fitted import Fits
from shared.learning.errors import (
    FeaturesNotFinite,
    GroupOnBothSides,
    NoneReadable,
    SingleClass,
    TooFewSamples,
)
from shared.learning.evidence import Evidence, Reference
from shared.learning.features.cache import FeatureCache, NoCache
from shared.learning.features.stored_table import StoredTable
from shared.learning.features.table import Skipped, precompute
from shared.learning.fit import assemble, fit, fit_reading
from shared.learning.model import FittedModel, FittedReader, Training
from shared.learning.progress import Progress, silent
from shared.learning.samples.phantoms import phantom_nodule, phantom_samples
from shared.learning.samples.sample import Sample, check_apart, check_classes
from shared.learning.training_context import (
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
