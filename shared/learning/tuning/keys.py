"""Which networks a recipe tunes on a data set's labels."""

from dataclasses import replace
from typing import NamedTuple, TypeGuard

from shared.recipes import (
    SUPERVISED_TUNINGS,
    FeatureSet,
    NetworkFeatures,
    Recipe,
    Tuning,
)


class TuningKey(NamedTuple):
    """The properties that feature sets must have in common to share one tuned network.

    `frozen` is the last stage that keeps its pre-trained weights.
    """

    network: str
    tuning: Tuning
    frozen: str


def tuning_key(features: NetworkFeatures) -> TuningKey:
    return TuningKey(
        network=features.network, tuning=features.tuning, frozen=features.frozen
    )


def tuning_keys(recipe: Recipe) -> list[TuningKey]:
    """Return the networks that a recipe tunes, each once."""
    keys = [tuning_key(features) for features in recipe.features if is_tuned(features)]
    return list(dict.fromkeys(keys))


def is_tuned(features: FeatureSet) -> TypeGuard[NetworkFeatures]:
    """Return whether a feature set comes from a network that is tuned on the data set's labels."""
    return (
        isinstance(features, NetworkFeatures) and features.tuning in SUPERVISED_TUNINGS
    )


def without_tuning(features: FeatureSet) -> FeatureSet:
    """Return the same feature set from the pre-trained network, before it is tuned."""
    if not is_tuned(features):
        return features
    return replace(features, tuning=Tuning.NONE, frozen="")
