"""Metrics with their intervals and tests. The positive class is always malignant (1), and scores rise with risk."""

from shared.statistics.calibration import Sigmoid, brier, expected_calibration_error, fit_sigmoid, shift_prior
from shared.statistics.confusion import ConfusionTable, Measure, Proportion
from shared.statistics.delong import PairedTest, Scale, delong_interval, delong_test
from shared.statistics.errors import ConstantScores, ProbabilityInvalid, ScoresInvalid, SingleClass
from shared.statistics.intervals import Interval, IntervalMethod, logit_interval, logit_wald, wilson
from shared.statistics.published import tables_behind
from shared.statistics.roc import RocCurve, roc_auc, roc_curve, youden_cutoff

__all__ = [
    "ConfusionTable",
    "ConstantScores",
    "Interval",
    "IntervalMethod",
    "Measure",
    "PairedTest",
    "ProbabilityInvalid",
    "Proportion",
    "RocCurve",
    "Scale",
    "ScoresInvalid",
    "Sigmoid",
    "SingleClass",
    "brier",
    "delong_interval",
    "delong_test",
    "expected_calibration_error",
    "fit_sigmoid",
    "logit_interval",
    "logit_wald",
    "roc_auc",
    "roc_curve",
    "shift_prior",
    "tables_behind",
    "wilson",
    "youden_cutoff",
]
