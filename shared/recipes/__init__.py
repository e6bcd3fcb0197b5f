"""Which networks, taps, classifiers, fusion and cut-off: TOML files, read into frozen dataclasses."""

from shared.recipes.errors import RecipeInvalid, RecipeUnknown
from shared.recipes.library import list_recipes, load_recipe
from shared.recipes.reading import read_recipe
from shared.recipes.recipe import (
    Calibration,
    Classifier,
    ClassifierKind,
    Cutoff,
    Decision,
    FeatureSet,
    Forest,
    Fusion,
    FusionRule,
    HandcraftedFeatures,
    Kernel,
    NetworkFeatures,
    PhantomTraining,
    Recipe,
    Roi,
    Svm,
    Tuning,
    Validation,
)

__all__ = [
    "Calibration",
    "Classifier",
    "ClassifierKind",
    "Cutoff",
    "Decision",
    "FeatureSet",
    "Forest",
    "Fusion",
    "FusionRule",
    "HandcraftedFeatures",
    "Kernel",
    "NetworkFeatures",
    "PhantomTraining",
    "Recipe",
    "RecipeInvalid",
    "RecipeUnknown",
    "Roi",
    "Svm",
    "Tuning",
    "Validation",
    "list_recipes",
    "load_recipe",
    "read_recipe",
]
