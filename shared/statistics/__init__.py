"""Metrics with their intervals and tests. The positive class is always malignant (1), and scores rise with risk."""

from shared.statistics.agreement import Kappa, KappaWeights, cohen_kappa, fleiss_kappa, kappa_words
from shared.statistics.calibration import (
    CalibrationBin,
    Sigmoid,
    brier,
    calibration_curve,
    expected_calibration_error,
    fit_sigmoid,
    shift_prior,
)
from shared.statistics.conformal import (
    ClassCoverage,
    ConformalCases,
    ConformalCoverage,
    ConformalSets,
    conformal_coverage,
    fit_conformal,
)
from shared.statistics.confusion import ConfusionTable, Measure, Proportion
from shared.statistics.delong import PairedTest, Scale, delong_interval, delong_test
from shared.statistics.errors import (
    ConstantScores,
    GeeNotConverged,
    JudgementsInvalid,
    MeasureUnpaired,
    ProbabilityInvalid,
    RatingsInvalid,
    ScoresInvalid,
    SingleClass,
)
from shared.statistics.gee import GeeFit, GeeRate, GeeRates, GeeTest, gee_logistic, gee_rates
from shared.statistics.intervals import Interval, IntervalMethod, logit_interval, logit_wald, wilson
from shared.statistics.paired import McNemarTest, compare_rates, mcnemar
from shared.statistics.published import tables_behind
from shared.statistics.roc import RocCurve, roc_auc, roc_curve, youden_cutoff
from shared.statistics.sites import Area, Rate, SiteRates, rates_by_site

__all__ = [
    "Area",
    "CalibrationBin",
    "ClassCoverage",
    "ConformalCases",
    "ConformalCoverage",
    "ConformalSets",
    "ConfusionTable",
    "ConstantScores",
    "GeeFit",
    "GeeNotConverged",
    "GeeRate",
    "GeeRates",
    "GeeTest",
    "Interval",
    "IntervalMethod",
    "JudgementsInvalid",
    "Kappa",
    "KappaWeights",
    "McNemarTest",
    "Measure",
    "MeasureUnpaired",
    "PairedTest",
    "ProbabilityInvalid",
    "Proportion",
    "Rate",
    "RatingsInvalid",
    "RocCurve",
    "Scale",
    "ScoresInvalid",
    "Sigmoid",
    "SingleClass",
    "SiteRates",
    "brier",
    "calibration_curve",
    "cohen_kappa",
    "compare_rates",
    "conformal_coverage",
    "delong_interval",
    "delong_test",
    "expected_calibration_error",
    "fit_conformal",
    "fit_sigmoid",
    "fleiss_kappa",
    "gee_logistic",
    "gee_rates",
    "kappa_words",
    "logit_interval",
    "logit_wald",
    "mcnemar",
    "rates_by_site",
    "roc_auc",
    "roc_curve",
    "shift_prior",
    "tables_behind",
    "wilson",
    "youden_cutoff",
]
