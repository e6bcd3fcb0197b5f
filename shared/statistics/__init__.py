"""Metrics with their intervals and tests.

The positive class is always malignant (1), and a higher score means a higher risk.
"""

from shared.statistics.confusion import ConfusionTable, Measure, Proportion
from shared.statistics.discrimination.delong import (
    PairedTest,
    Scale,
    delong_interval,
    delong_test,
)
from shared.statistics.discrimination.operating_points import (
    OperatingPoint,
    SensitivityCutoff,
    predictive_values,
    select_operating_point,
    sensitivity_cutoff,
)
from shared.statistics.discrimination.roc import (
    RocCurve,
    roc_auc,
    roc_curve,
    youden_cutoff,
)
from shared.statistics.errors import (
    ConstantScores,
    DriftReferenceInvalid,
    DriftSampleInvalid,
    GeeNotConverged,
    JudgementsInvalid,
    MeasureUnpaired,
    ProbabilityInvalid,
    RatingsInvalid,
    ScoresInvalid,
    SingleClass,
)
from shared.statistics.intervals import (
    Interval,
    IntervalMethod,
    logit_interval,
    logit_wald,
    wilson,
)
from shared.statistics.model_life.drift import (
    Drift,
    DriftState,
    KsTest,
    Stability,
    components_drift,
    drift,
    quantile_bin_counts,
)
from shared.statistics.model_life.sites import Area, Rate, SiteRates, rates_by_site
from shared.statistics.overlap import dice
from shared.statistics.published_rates import tables_behind
from shared.statistics.rank_correlation import spearman
from shared.statistics.readers.agreement import (
    Kappa,
    KappaWeights,
    cohen_kappa,
    fleiss_kappa,
    landis_koch_label,
)
from shared.statistics.readers.gee import (
    GeeFit,
    GeeRate,
    GeeRates,
    GeeTest,
    gee_rates,
)
from shared.statistics.readers.multireader import MultiReader, obuchowski_rockette
from shared.statistics.readers.paired import McNemarTest, compare_rates, mcnemar
from shared.statistics.reliability.calibration import (
    CalibrationBin,
    ObservedExpected,
    Sigmoid,
    brier_score,
    calibration_curve,
    expected_calibration_error,
    fit_sigmoid,
    observed_expected,
    shift_prior,
)
from shared.statistics.reliability.conformal import (
    ClassCoverage,
    ConformalCases,
    ConformalCoverage,
    conformal_coverage,
)
from shared.statistics.reliability.decision_curve import (
    ASSUMED_PREVALENCE,
    BIOPSY_NONE,
    DecisionCurve,
    decision_curve,
    decision_curves,
)
from shared.statistics.reliability.venn_abers import VennAbers, interval_around

__all__ = [
    "ASSUMED_PREVALENCE",
    "BIOPSY_NONE",
    "Area",
    "CalibrationBin",
    "ClassCoverage",
    "ConformalCases",
    "ConformalCoverage",
    "ConfusionTable",
    "ConstantScores",
    "DecisionCurve",
    "Drift",
    "DriftReferenceInvalid",
    "DriftSampleInvalid",
    "DriftState",
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
    "KsTest",
    "McNemarTest",
    "Measure",
    "MeasureUnpaired",
    "MultiReader",
    "ObservedExpected",
    "OperatingPoint",
    "PairedTest",
    "ProbabilityInvalid",
    "Proportion",
    "Rate",
    "RatingsInvalid",
    "RocCurve",
    "Scale",
    "ScoresInvalid",
    "SensitivityCutoff",
    "Sigmoid",
    "SingleClass",
    "SiteRates",
    "Stability",
    "VennAbers",
    "brier_score",
    "calibration_curve",
    "cohen_kappa",
    "compare_rates",
    "components_drift",
    "conformal_coverage",
    "decision_curve",
    "decision_curves",
    "delong_interval",
    "delong_test",
    "dice",
    "drift",
    "expected_calibration_error",
    "fit_sigmoid",
    "fleiss_kappa",
    "gee_rates",
    "interval_around",
    "landis_koch_label",
    "logit_interval",
    "logit_wald",
    "mcnemar",
    "observed_expected",
    "obuchowski_rockette",
    "predictive_values",
    "quantile_bin_counts",
    "rates_by_site",
    "roc_auc",
    "roc_curve",
    "select_operating_point",
    "sensitivity_cutoff",
    "shift_prior",
    "spearman",
    "tables_behind",
    "wilson",
    "youden_cutoff",
]
