"""Whether a candidate may replace the live model: both read the same locked test images, and the figures decide."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shared.domain.models import GateReason, GateVerdict, Judgement, Weight
from shared.domain.size_groups import size_band
from shared.statistics.cases import Flags, Floats, as_labels
from shared.statistics.confusion import ConfusionTable, Measure
from shared.statistics.discrimination.clustered import clustered_areas
from shared.statistics.errors import ScoresInvalid
from shared.statistics.intervals import IntervalMethod, normal_quantile, wilson
from shared.statistics.model_life.evaluation import (
    calibration_bins_to_json,
    evaluation,
    rate_to_json,
    site_rates_to_json,
)
from shared.statistics.model_life.gate_criteria import (
    SIGNIFICANCE,
    CalibrationTest,
    NonInferiority,
    calibration_test,
    non_inferiority,
)
from shared.statistics.model_life.sites import SiteRates, rates_by_site
from shared.statistics.reliability.calibration import brier_score, shift_prior

UNREAD_MALIGNANT = -1.0
UNREAD_BENIGN = 2.0
"""Scores of images a model could not read: below and above all others, so that each is ranked as wrongly as can be."""
NO_SITE = "(no site)"


@dataclass(frozen=True)
class GatePolicy:
    """What is asked of a candidate.

    Attributes
    ----------
    margin : AUC by which it may be worse than the live model
    significance : one-sided level of the test that it is not worse by more
    sensitivity_floor : malignant images it has to find at its own cut-off, as a fraction
    calibration_limit : expected calibration error that is let pass whether or not chance explains it
    least_of_each_class : test images of a class below which nothing is judged
    """

    margin: float = 0.05
    significance: float = 0.05
    sensitivity_floor: float = 0.80
    calibration_limit: float = 0.10
    least_of_each_class: int = 10


@dataclass(frozen=True, eq=False)
class ModelPredictions:
    """What one model said of the test images, all (N,) in their order; NaN where it could not read one.

    Attributes
    ----------
    scores : higher = more likely malignant
    risks : probability of malignancy at `prevalence`
    called : 1 = malignant by the model's own cut-off
    referred : whether the model asked for a radiologist instead of an answer
    prevalence : fraction of malignant images the model was trained on
    """

    scores: ArrayLike
    risks: ArrayLike
    decisions: ArrayLike
    referrals: ArrayLike
    prevalence: float


def judge_candidate(
    candidate: ModelPredictions,
    live: ModelPredictions | None,
    labels: ArrayLike,
    sites: Sequence[str | None],
    policy: GatePolicy,
    patients: Sequence[str] | None = None,
    sizes_mm: Sequence[float | None] | None = None,
) -> Judgement:
    """Judge a candidate on the locked test images.

    It passes where nothing speaks against it: its AUC is shown to be no worse than the live model's by the margin, it
    finds as many malignant images as the floor asks for, and its risks are calibrated. Without a live model the last
    two decide. An image that it could not read counts as called wrongly.

    Parameters
    ----------
    candidate, live : readings of the same images; `live` None where no model is live
    labels : (N,) bool or 0/1, 1 = malignant
    sites : (N,) hospitals, None where unknown
    policy : what is asked
    patients : (N,) names; images of one name go together in the AUCs' intervals. None: every image is another patient's
    sizes_mm : (N,) largest diameters, None where unknown; None: of none

    Raises
    ------
    ScoresInvalid
    """
    malignant = as_labels(labels) if np.size(labels) else np.zeros(0, bool)
    names = np.arange(malignant.size) if patients is None else np.asarray(patients, str)
    counts = _counts(malignant, names)
    if _too_few(malignant, names, policy):
        return Judgement(
            GateVerdict.NOT_JUDGED, (_unjudged(counts, policy),), counts, asdict(policy)
        )
    ours = _ModelEvaluation(candidate, malignant, names)
    theirs = None if live is None else _ModelEvaluation(live, malignant, names)
    test = None
    if theirs is not None:
        test = non_inferiority(
            ours.scores,
            theirs.scores,
            malignant,
            margin=policy.margin,
            significance=policy.significance,
            patients=names,
        )
    named = [site or NO_SITE for site in sites]
    bands = [size_band(size) for size in sizes_mm or [None] * malignant.size]
    rows = rates_by_site(named, ours.called, malignant, ours.scores)
    reasons = (
        _auc_reason(ours, theirs, test, policy),
        _sensitivity_reason(ours, policy),
        _calibration_reason(ours, policy),
        *_unread_note(ours),
        *_site_notes(rows, policy),
    )
    failed = any(reason.weight is Weight.AGAINST for reason in reasons)
    figures = counts | {
        "candidate": ours.figures() | {"evaluation": ours.evaluated(named, bands)},
        "live": theirs
        and theirs.figures() | {"evaluation": theirs.evaluated(named, bands)},
        "comparison": asdict(test) if test else None,
        "paired": theirs and _paired(ours, theirs, names),
        "sites": [site_rates_to_json(row) for row in rows],
        "worst_site": _worst(rows),
    }
    return Judgement(
        GateVerdict.FAILED if failed else GateVerdict.PASSED,
        reasons,
        figures,
        asdict(policy),
    )


class _ModelEvaluation:
    """One model's readings with the unread images counted against it."""

    def __init__(
        self, readings: ModelPredictions, malignant: Flags, patients: np.ndarray
    ) -> None:
        scores, risks = (
            np.asarray(each, np.float64) for each in (readings.scores, readings.risks)
        )
        if (
            not scores.shape
            == risks.shape
            == np.shape(readings.decisions)
            == malignant.shape
        ):
            raise ScoresInvalid(
                problem=f"there are {scores.size} readings of {malignant.size} images"
            )
        self.malignant = malignant
        self.read = np.isfinite(scores)
        self.scores: Floats = np.where(
            self.read, scores, np.where(malignant, UNREAD_MALIGNANT, UNREAD_BENIGN)
        )
        self.called: Flags = np.where(
            self.read, np.asarray(readings.decisions, np.float64) == 1, ~malignant
        )
        self.referred = int(
            (np.asarray(readings.referrals, np.float64)[self.read] == 1).sum()
        )
        self.table = ConfusionTable.from_decisions(self.called, malignant)
        self._patients, self._areas = (
            patients,
            clustered_areas(self.scores, malignant, patients),
        )
        self._risks = risks
        self._trained_at = readings.prevalence
        self.calibration = self._calibration()

    @property
    def unread(self) -> int:
        return int((~self.read).sum())

    @property
    def auc(self) -> float:
        return float(self._areas.values[0])

    def _calibration(self) -> CalibrationTest | None:
        return (
            calibration_test(self.risks, self.malignant[self.read])
            if self._both()
            else None
        )

    @property
    def risks(self) -> Floats:
        """At the prevalence of the images it read, as the service carries a risk to each hospital's prevalence."""
        return shift_prior(
            self._risks[self.read],
            self._trained_at,
            float(self.malignant[self.read].mean()),
        )

    def _both(self) -> bool:
        malignant = int(self.malignant[self.read].sum())
        return 0 < malignant < int(self.read.sum())

    def evaluated(self, sites: Sequence[str], sizes: Sequence[str]) -> dict[str, Any]:
        """What is drawn of it."""
        drawn = evaluation(
            self.scores, self.called, self.malignant, self._patients, sites, sizes
        )
        return drawn | {
            "calibration": calibration_bins_to_json(
                self.risks, self.malignant[self.read]
            )
            if self._both()
            else []
        }

    def figures(self) -> dict[str, Any]:
        return {
            "auc": {"value": self.auc, **asdict(self._areas.interval(0))},
            "sensitivity": rate_to_json(self.table.proportion(Measure.SENSITIVITY)),
            "specificity": rate_to_json(self.table.proportion(Measure.SPECIFICITY)),
            "calibration": asdict(self.calibration) if self.calibration else None,
            "brier": brier_score(self.risks, self.malignant[self.read])
            if self._both()
            else None,
            "referred": self.referred,
            "unread": self.unread,
        }


def _paired(
    ours: _ModelEvaluation, theirs: _ModelEvaluation, patients: np.ndarray
) -> dict[str, float]:
    """Candidate less live model: the AUCs' difference with its 95 % interval, and P that there is none."""
    test = clustered_areas(
        [ours.scores, theirs.scores], ours.malignant, patients
    ).compare_readers()
    reach = normal_quantile(0.95) * test.standard_error
    low = test.difference - reach
    high = test.difference + reach
    return {
        "difference": test.difference,
        "low": low,
        "high": high,
        "p_value": test.p_value,
    }


def _counts(malignant: np.ndarray, names: np.ndarray) -> dict[str, int]:
    benign = malignant.size - int(malignant.sum())
    return {
        "images": malignant.size,
        "malignant": malignant.size - benign,
        "benign": benign,
        "patients": np.unique(names).size,
    }


def _too_few(malignant: Flags, patients: np.ndarray, policy: GatePolicy) -> bool:
    """Whether a class has too few images, or all of its images are of one patient."""
    return any(
        images.sum() < policy.least_of_each_class
        or np.unique(patients[images]).size < 2
        for images in (malignant, ~malignant)
    )


def _unjudged(counts: dict[str, int], policy: GatePolicy) -> GateReason:
    facts = {
        "malignant": counts["malignant"],
        "benign": counts["benign"],
        "least": policy.least_of_each_class,
    }
    return GateReason("too-few-test-images", Weight.AGAINST, facts)


def _auc_reason(
    ours: _ModelEvaluation,
    theirs: _ModelEvaluation | None,
    test: NonInferiority | None,
    policy: GatePolicy,
) -> GateReason:
    if theirs is None or test is None:
        return GateReason("no-live-model", Weight.NOTE, {"auc": ours.auc})
    facts = {
        "auc": ours.auc,
        "live": theirs.auc,
        "difference": test.difference,
        "level": test.level,
        "low": test.low,
        "high": test.high,
        "margin": policy.margin,
        "p_value": test.p_value,
    }
    if test.is_shown:
        return GateReason("auc-not-worse", Weight.FOR, facts)
    if test.high < 0:
        return GateReason("auc-worse", Weight.AGAINST, facts)
    return GateReason("auc-not-shown", Weight.AGAINST, facts)


def _sensitivity_reason(ours: _ModelEvaluation, policy: GatePolicy) -> GateReason:
    part = ours.table.proportion(Measure.SENSITIVITY)
    interval = wilson(part.successes, part.total)
    facts = {
        "found": part.successes,
        "of": part.total,
        "value": part.value,
        "low": interval.low,
        "high": interval.high,
        "floor": policy.sensitivity_floor,
    }
    if part.value < policy.sensitivity_floor:
        return GateReason("sensitivity-below-floor", Weight.AGAINST, facts)
    return GateReason("sensitivity-kept", Weight.FOR, facts)


def _calibration_reason(ours: _ModelEvaluation, policy: GatePolicy) -> GateReason:
    test = ours.calibration
    if test is None:
        return GateReason("calibration-unknown", Weight.AGAINST)
    facts = {
        "error": test.error,
        "by_chance": test.by_chance,
        "p_value": test.p_value,
        "limit": policy.calibration_limit,
    }
    if test.error > policy.calibration_limit and test.p_value < SIGNIFICANCE:
        return GateReason("calibration-off", Weight.AGAINST, facts)
    return GateReason("calibrated", Weight.FOR, facts)


def _unread_note(ours: _ModelEvaluation) -> list[GateReason]:
    if not ours.unread:
        return []
    facts = {"unread": ours.unread, "images": ours.read.size}
    return [GateReason("images-unread", Weight.NOTE, facts)]


def _site_notes(rows: Sequence[SiteRates], policy: GatePolicy) -> list[GateReason]:
    """Sites where so few are found that chance does not explain it."""
    notes = []
    for row in rows:
        part = row.rates[Measure.SENSITIVITY]
        if (
            part.total
            and part.intervals[IntervalMethod.WILSON].high < policy.sensitivity_floor
        ):
            facts = {"site": row.site, "found": part.successes, "of": part.total}
            notes.append(GateReason("site-below-floor", Weight.NOTE, facts))
    return notes


def _worst(rows: Sequence[SiteRates]) -> str | None:
    """Where the smallest share of malignant images is found; None where no site has any."""
    known = [row for row in rows if row.malignant]
    return (
        min(known, key=lambda row: row.rates[Measure.SENSITIVITY].value).site
        if known
        else None
    )
