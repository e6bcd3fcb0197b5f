"""Classifiers, cross-validation, calibration, fusion and the fitted model."""

from shared.learning.classifiers.fitted import ClassifierCache
from shared.learning.errors import (
    FeaturesNotFinite,
    GroupOnBothSides,
    NoneReadable,
    SingleClass,
    TooFewSamples,
)
from shared.learning.evidence import Evidence, ReferenceQuantiles
from shared.learning.features.cache import FeatureCache, NoCache
from shared.learning.features.stored_table import StoredTable
from shared.learning.features.table import SkippedImage, precompute_features
from shared.learning.fit import assemble_model, fit, fit_component
from shared.learning.model import FittedModel, FittedComponent, TrainingSummary
from shared.learning.progress import ProgressCallback, ignore_progress
from shared.learning.samples.phantoms import phantom_nodule, phantom_samples
from shared.learning.samples.sample import Sample, check_no_shared_groups, check_both_classes
from shared.learning.training_context import (
    TrainingContext,
    build_extractor,
    fingerprint,
    recipe_framing,
    tuning_keys,
)

__all__ = [
    "Evidence",
    "FeatureCache",
    "FeaturesNotFinite",
    "ClassifierCache",
    "FittedModel",
    "FittedComponent",
    "GroupOnBothSides",
    "NoCache",
    "NoneReadable",
    "ProgressCallback",
    "ReferenceQuantiles",
    "Sample",
    "SingleClass",
    "SkippedImage",
    "StoredTable",
    "TooFewSamples",
    "TrainingSummary",
    "TrainingContext",
    "assemble_model",
    "build_extractor",
    "check_no_shared_groups",
    "check_both_classes",
    "fingerprint",
    "fit",
    "fit_component",
    "recipe_framing",
    "phantom_nodule",
    "phantom_samples",
    "precompute_features",
    "ignore_progress",
    "tuning_keys",
]
