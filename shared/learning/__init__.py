"""Classifiers, cross-validation, calibration, fusion and the fitted model."""

from shared.learning.cache import FeatureCache, NoCache
from shared.learning.errors import FeaturesNotFinite, GroupOnBothSides, NoneReadable, SingleClass, TooFewSamples
from shared.learning.evidence import Evidence, Reference
from shared.learning.fit import assemble, fit
from shared.learning.model import FittedModel, FittedReader, Prediction, Reader, Training, Verdict
from shared.learning.phantom_samples import phantom_nodule, phantom_samples
from shared.learning.progress import Progress, silent
from shared.learning.sample import Sample, check_apart
from shared.learning.workbench import Workbench, build_extractor, fingerprint, framing

__all__ = [
    "Evidence",
    "FeatureCache",
    "FeaturesNotFinite",
    "FittedModel",
    "FittedReader",
    "GroupOnBothSides",
    "NoCache",
    "NoneReadable",
    "Prediction",
    "Progress",
    "Reader",
    "Reference",
    "Sample",
    "SingleClass",
    "TooFewSamples",
    "Training",
    "Verdict",
    "Workbench",
    "assemble",
    "build_extractor",
    "check_apart",
    "fingerprint",
    "fit",
    "framing",
    "phantom_nodule",
    "phantom_samples",
    "silent",
]
