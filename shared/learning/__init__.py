"""Classifiers, cross-validation, calibration, fusion and the fitted model."""

from shared.learning.baseline import baseline_recipe
from shared.learning.classifiers.fitted import ClassifierCache
from shared.learning.errors import (
    FeaturesNotFinite,
    GroupInTrainAndTest,
    NoReadableImages,
    SingleClass,
    TooFewSamples,
)
from shared.learning.evidence import Evidence, ReferenceQuantiles
from shared.learning.features.cache import FeatureCache, NoCache
from shared.learning.features.stored_table import StoredTable
from shared.learning.features.table import SkippedImage, precompute_features
from shared.learning.fit import assemble_model, fit, fit_component
from shared.learning.model import FittedComponent, FittedModel, TrainingSummary
from shared.learning.progress import ProgressCallback, ignore_progress
from shared.learning.recipe_nodules import recipe_framing
from shared.learning.samples.phantoms import phantom_nodule, phantom_samples
from shared.learning.samples.sample import (
    Picture,
    Sample,
    check_both_classes,
    check_no_shared_groups,
    fingerprint,
)
from shared.learning.site_adaptation import Adaptation
from shared.learning.site_validation import SiteValidation, validate_by_site
from shared.learning.training_context import (
    TrainingContext,
    build_extractor,
)
from shared.learning.tuning.keys import tuning_keys

__all__ = [
    "Adaptation",
    "ClassifierCache",
    "Evidence",
    "FeatureCache",
    "FeaturesNotFinite",
    "FittedComponent",
    "FittedModel",
    "GroupInTrainAndTest",
    "NoCache",
    "NoReadableImages",
    "Picture",
    "ProgressCallback",
    "ReferenceQuantiles",
    "Sample",
    "SingleClass",
    "SiteValidation",
    "SkippedImage",
    "StoredTable",
    "TooFewSamples",
    "TrainingContext",
    "TrainingSummary",
    "assemble_model",
    "baseline_recipe",
    "build_extractor",
    "check_both_classes",
    "check_no_shared_groups",
    "fingerprint",
    "fit",
    "fit_component",
    "ignore_progress",
    "phantom_nodule",
    "phantom_samples",
    "precompute_features",
    "recipe_framing",
    "tuning_keys",
    "validate_by_site",
]
