"""Transfer learning and fine-tuning of pre-trained networks on labelled nodules."""

from shared.learning.tuning.hyperparameters import Hyperparameters, LearningCurves
from shared.learning.tuning.tuned import NetworkTuning, TunedFeatures
from shared.learning.tuning.tuner import Backbone, Tuner

__all__ = [
    "Backbone",
    "Hyperparameters",
    "LearningCurves",
    "NetworkTuning",
    "TunedFeatures",
    "Tuner",
]
