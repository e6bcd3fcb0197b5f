"""Judges whether a candidate may replace the live model, on the same locked test images."""

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
from shared.statistics.intervals import normal_quantile, wilson
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
from shared.statistics.model_life.gate_groups import (
    SizeCalibration,
    calibration_by_size,
    site_reasons,
    size_reasons,
    worst_site,
)
from shared.statistics.model_life.gate_predictions import (
    ModelPredictions,
    RoiKindPredictions,
    count_unprocessed,
)
from shared.statistics.model_life.gate_roi_kinds import (
    RoiKindRow,
    roi_kind_reasons,
    roi_kind_rows,
)
from shared.statistics.model_life.left_out_sites import LeftOutSites, left_out_reason
from shared.statistics.model_life.sites import rates_by_site
from shared.statistics.reliability.calibration import brier_score, shift_prior

NO_SITE = "(no site)"


@dataclass(frozen=True)
class GatePolicy:
    """The requirements on a candidate.

    Attributes
    ----------
    margin : the maximum difference of AUC by which the candidate may be worse than the live model
    significance : one-sided level of the test that the candidate is not worse by the margin
    sensitivity_floor : minimum fraction of malignant images that the candidate must find at its own
        cut-off
    calibration_limit : expected calibration error up to which a candidate passes, even if chance
        does not explain the error
    roi_auc_floor : minimum AUC with each kind of ROI, if no model is live to compare with
    least_of_each_class : minimum number of test images of each class; with fewer, nothing is
        judged, and no kind of ROI. The calibration of a size is judged on at least twice as many images
    """

    margin: float = 0.05
    significance: float = 0.05
    sensitivity_floor: float = 0.80
    calibration_limit: float = 0.10
    roi_auc_floor: float = 0.60
    least_of_each_class: int = 10

    @property
    def least_of_size(self) -> int:
        return 2 * self.least_of_each_class


def judge_candidate(
    candidate: ModelPredictions,
    live: ModelPredictions | None,
    labels: ArrayLike,
    sites: Sequence[str | None],
    policy: GatePolicy,
    patients: Sequence[str] | None = None,
    sizes_mm: Sequence[float | None] | None = None,
    roi_kinds: Sequence[RoiKindPredictions] = (),
    left_out: LeftOutSites | None = None,
) -> Judgement:
    """Judge a candidate on the locked test images.

    The candidate passes if all criteria hold. Its AUC is shown to be not worse than the live
    model's AUC by the margin. Its sensitivity is at least the floor, and at no site below it by
    more than chance. With no kind of ROI is it shown to be worse than the live model, and at sites
    that its fits left out not to be worse than plain averages of its networks. Its risks are
    calibrated, over all images and for each size. Without a live model all but the first criterion
    decide, and the AUC with each kind of ROI has a floor. An image that a model could not process
    counts as a wrong call.

    Parameters
    ----------
    candidate, live : predictions for the same images; `live` is None if no model is live
    labels : (N,) bool or 0/1, 1 = malignant
    sites : (N,) hospitals, None if unknown
    policy : the requirements
    patients : (N,) names; the AUCs' intervals treat images with the same name as one cluster. If it
        is None, each image counts as a separate patient
    sizes_mm : (N,) largest diameters, None if unknown; None for the list if all are unknown
    roi_kinds : predictions for the images with each kind of ROI
    left_out : how the candidate's recipe did at sites of its training images that a fit left out

    Raises
    ------
    ScoresInvalid
    """
    malignant = as_labels(labels) if np.size(labels) else np.zeros(0, bool)
    names = np.arange(malignant.size) if patients is None else np.asarray(patients, str)
    counts = _image_counts(malignant, names)
    if _has_too_few_images(malignant, names, policy):
        return Judgement(
            verdict=GateVerdict.NOT_JUDGED,
            reasons=(_too_few_reason(counts, policy),),
            figures=counts,
            policy=asdict(policy),
        )
    groups = _Groups.from_lists(sites, sizes_mm, malignant.size)
    rows = roi_kind_rows(
        roi_kinds,
        malignant=malignant,
        patients=names,
        least_of_each_class=policy.least_of_each_class,
        margin=policy.margin,
    )
    return _judge(
        candidate,
        live,
        malignant,
        names,
        groups=groups,
        roi_rows=rows,
        left_out=left_out,
        policy=policy,
    )


def _judge(
    candidate: ModelPredictions,
    live: ModelPredictions | None,
    malignant: np.ndarray,
    names: np.ndarray,
    *,
    groups: "_Groups",
    roi_rows: Sequence[RoiKindRow],
    left_out: LeftOutSites | None,
    policy: GatePolicy,
) -> Judgement:
    """Judge a candidate on enough images, each with the name of its patient."""
    candidate_evaluation = _ModelEvaluation(candidate, malignant, names)
    live_evaluation = None
    test = None
    if live is not None:
        live_evaluation = _ModelEvaluation(live, malignant, names)
        test = _compare(candidate_evaluation, live_evaluation, malignant, names, policy)
    site_rows = rates_by_site(
        groups.site_names,
        candidate_evaluation.decisions,
        malignant,
        candidate_evaluation.scores,
    )
    size_rows = candidate_evaluation.calibration_by_size(groups, policy.least_of_size)
    reasons = (
        _auc_reason(candidate_evaluation, live_evaluation, test, policy),
        _sensitivity_reason(candidate_evaluation, policy),
        *site_reasons(site_rows, policy.sensitivity_floor),
        left_out_reason(left_out),
        *roi_kind_reasons(
            roi_rows,
            sensitivity_floor=policy.sensitivity_floor,
            auc_floor=policy.roi_auc_floor,
            least_of_each_class=policy.least_of_each_class,
        ),
        _calibration_reason(candidate_evaluation, policy),
        *size_reasons(size_rows, policy.calibration_limit, policy.least_of_size),
        *_sensitivity_notes(candidate_evaluation, policy),
        *_unprocessed_notes(candidate_evaluation),
    )
    figures = {
        **_image_counts(malignant, names),
        "candidate": candidate_evaluation.to_json(groups, policy),
        **_live_figures(
            candidate_evaluation, live_evaluation, names, groups=groups, policy=policy
        ),
        "comparison": asdict(test) if test else None,
        "sites": [site_rates_to_json(row) for row in site_rows],
        "worst_site": worst_site(site_rows),
        "roi_kinds": [row.to_json() for row in roi_rows],
        "left_out_sites": None if left_out is None else left_out.to_json(),
    }
    has_failed = any(reason.weight is Weight.AGAINST for reason in reasons)
    return Judgement(
        verdict=GateVerdict.FAILED if has_failed else GateVerdict.PASSED,
        reasons=reasons,
        figures=figures,
        policy=asdict(policy),
    )


def _compare(
    candidate: "_ModelEvaluation",
    live: "_ModelEvaluation",
    malignant: np.ndarray,
    names: np.ndarray,
    policy: GatePolicy,
) -> NonInferiority:
    """Test whether a candidate is at most the margin worse than the live model."""
    return non_inferiority(
        candidate.scores,
        live.scores,
        malignant,
        margin=policy.margin,
        significance=policy.significance,
        patients=names,
    )


class _ModelEvaluation:
    """The predictions of one model. Images that it could not process count against it.

    Attributes
    ----------
    is_processed : (N,) flags of the images that the model could process
    scores, decisions : (N,) with the worst possible value for each image that was not processed
    referral_count : number of processed images that the model referred
    calibration : None if the processed images have only one class
    """

    def __init__(
        self, predictions: ModelPredictions, malignant: Flags, patients: np.ndarray
    ) -> None:
        risks = np.asarray(predictions.risks, np.float64)
        referrals = np.asarray(predictions.referrals, np.float64)
        counted = count_unprocessed(predictions, malignant)
        if risks.shape != malignant.shape:
            raise ScoresInvalid(
                problem=f"there are {risks.size} readings of {malignant.size} images"
            )
        self.malignant = malignant
        self.is_processed = counted.is_processed
        self.scores = counted.scores
        self.decisions = counted.decisions
        self.referral_count = int((referrals[self.is_processed] == 1).sum())
        self.table = ConfusionTable.from_decisions(self.decisions, malignant)
        self._patients = patients
        self._areas = clustered_areas(self.scores, malignant, patients)
        self._risks = risks
        self._training_prevalence = predictions.prevalence
        self.calibration = self._calibration_test()

    @property
    def unprocessed_count(self) -> int:
        return int((~self.is_processed).sum())

    @property
    def auc(self) -> float:
        return float(self._areas.values[0])

    @property
    def risks(self) -> Floats:
        """Risks of the processed images, at the prevalence of these images.

        The service converts a risk to the prevalence of each hospital in the same way.
        """
        return shift_prior(
            self._risks[self.is_processed],
            from_prevalence=self._training_prevalence,
            to_prevalence=float(self._processed_labels.mean()),
        )

    def calibration_by_size(
        self, groups: "_Groups", min_images: int
    ) -> tuple[SizeCalibration, ...]:
        """Test the calibration of the processed images of each size band.

        There is no band if the processed images have only one class.
        """
        if not self._has_both_classes:
            return ()
        bands = np.asarray(groups.size_bands, str)[self.is_processed]
        return calibration_by_size(
            self.risks, self._processed_labels, bands.tolist(), min_images
        )

    def to_json(self, groups: "_Groups", policy: GatePolicy) -> dict[str, Any]:
        """Return the figures of the model."""
        figures = evaluation(
            self.scores,
            decisions=self.decisions,
            malignant=self.malignant,
            patients=self._patients,
            sites=groups.site_names,
            sizes=groups.size_bands,
        )
        size_rows = self.calibration_by_size(groups, policy.least_of_size)
        calibration_of_band = {row.band: row.to_json() for row in size_rows}
        for row in figures["sizes"]:
            row["calibration"] = calibration_of_band.get(row["band"])
        figures["calibration"] = []
        brier = None
        if self._has_both_classes:
            figures["calibration"] = calibration_bins_to_json(
                self.risks, self._processed_labels
            )
            brier = brier_score(self.risks, self._processed_labels)
        return {
            "auc": {"value": self.auc, **asdict(self._areas.interval(0))},
            "sensitivity": rate_to_json(self.table.proportion(Measure.SENSITIVITY)),
            "specificity": rate_to_json(self.table.proportion(Measure.SPECIFICITY)),
            "calibration": asdict(self.calibration) if self.calibration else None,
            "brier": brier,
            "referred": self.referral_count,
            "unread": self.unprocessed_count,
            "evaluation": figures,
        }

    @property
    def _processed_labels(self) -> Flags:
        return self.malignant[self.is_processed]

    @property
    def _has_both_classes(self) -> bool:
        malignant = int(self._processed_labels.sum())
        return 0 < malignant < int(self.is_processed.sum())

    def _calibration_test(self) -> CalibrationTest | None:
        if not self._has_both_classes:
            return None
        return calibration_test(self.risks, self._processed_labels)


@dataclass(frozen=True)
class _Groups:
    """The hospital and the size band of each image."""

    site_names: list[str]
    size_bands: list[str]

    @classmethod
    def from_lists(
        cls,
        sites: Sequence[str | None],
        sizes_mm: Sequence[float | None] | None,
        count: int,
    ) -> "_Groups":
        sizes = sizes_mm or [None] * count
        return cls(
            site_names=[site or NO_SITE for site in sites],
            size_bands=[size_band(size_mm) for size_mm in sizes],
        )


def _live_figures(
    candidate: _ModelEvaluation,
    live: _ModelEvaluation | None,
    patients: np.ndarray,
    *,
    groups: _Groups,
    policy: GatePolicy,
) -> dict[str, Any]:
    """Return the live model's figures and its difference from the candidate."""
    if live is None:
        return {"live": None, "paired": None}
    return {
        "live": live.to_json(groups, policy),
        "paired": _auc_difference_to_json(candidate, live, patients),
    }


def _auc_difference_to_json(
    candidate: _ModelEvaluation, live: _ModelEvaluation, patients: np.ndarray
) -> dict[str, float]:
    """Return the difference of AUCs, candidate minus live model, with its 95 % interval and P."""
    areas = clustered_areas(
        [candidate.scores, live.scores], candidate.malignant, patients
    )
    test = areas.compare_readers()
    half_width = normal_quantile(0.95) * test.standard_error
    return {
        "difference": test.difference,
        "low": test.difference - half_width,
        "high": test.difference + half_width,
        "p_value": test.p_value,
    }


def _image_counts(malignant: np.ndarray, patients: np.ndarray) -> dict[str, int]:
    benign = malignant.size - int(malignant.sum())
    return {
        "images": malignant.size,
        "malignant": malignant.size - benign,
        "benign": benign,
        "patients": np.unique(patients).size,
    }


def _has_too_few_images(
    malignant: Flags, patients: np.ndarray, policy: GatePolicy
) -> bool:
    """Return whether a class has too few images, or all images of a class are of one patient."""
    for in_class in (malignant, ~malignant):
        if in_class.sum() < policy.least_of_each_class:
            return True
        if np.unique(patients[in_class]).size < 2:
            return True
    return False


def _too_few_reason(counts: dict[str, int], policy: GatePolicy) -> GateReason:
    facts = {
        "malignant": counts["malignant"],
        "benign": counts["benign"],
        "least": policy.least_of_each_class,
    }
    return GateReason("too-few-test-images", weight=Weight.AGAINST, facts=facts)


def _auc_reason(
    candidate: _ModelEvaluation,
    live: _ModelEvaluation | None,
    test: NonInferiority | None,
    policy: GatePolicy,
) -> GateReason:
    if live is None or test is None:
        return GateReason(
            "no-live-model", weight=Weight.NOTE, facts={"auc": candidate.auc}
        )
    facts = {
        "auc": candidate.auc,
        "live": live.auc,
        "difference": test.difference,
        "level": test.level,
        "low": test.low,
        "high": test.high,
        "margin": policy.margin,
        "p_value": test.p_value,
    }
    if test.is_shown:
        return GateReason("auc-not-worse", weight=Weight.FOR, facts=facts)
    if test.high < 0:
        return GateReason("auc-worse", weight=Weight.AGAINST, facts=facts)
    return GateReason("auc-not-shown", weight=Weight.AGAINST, facts=facts)


def _sensitivity_reason(candidate: _ModelEvaluation, policy: GatePolicy) -> GateReason:
    sensitivity = candidate.table.proportion(Measure.SENSITIVITY)
    interval = wilson(sensitivity.successes, sensitivity.total)
    facts = {
        "found": sensitivity.successes,
        "of": sensitivity.total,
        "value": sensitivity.value,
        "low": interval.low,
        "high": interval.high,
        "floor": policy.sensitivity_floor,
    }
    if sensitivity.value < policy.sensitivity_floor:
        return GateReason("sensitivity-below-floor", weight=Weight.AGAINST, facts=facts)
    return GateReason("sensitivity-kept", weight=Weight.FOR, facts=facts)


def _sensitivity_notes(
    candidate: _ModelEvaluation, policy: GatePolicy
) -> list[GateReason]:
    """Return a note if the sensitivity is at least the floor, but its interval reaches below."""
    sensitivity = candidate.table.proportion(Measure.SENSITIVITY)
    interval = wilson(sensitivity.successes, sensitivity.total)
    if not interval.low < policy.sensitivity_floor <= sensitivity.value:
        return []
    facts = {"low": interval.low, "floor": policy.sensitivity_floor}
    return [GateReason("sensitivity-uncertain", weight=Weight.NOTE, facts=facts)]


def _calibration_reason(candidate: _ModelEvaluation, policy: GatePolicy) -> GateReason:
    test = candidate.calibration
    if test is None:
        return GateReason("calibration-unknown", weight=Weight.AGAINST)
    facts = {
        "error": test.error,
        "by_chance": test.by_chance,
        "p_value": test.p_value,
        "limit": policy.calibration_limit,
    }
    if test.error > policy.calibration_limit and test.p_value < SIGNIFICANCE:
        return GateReason("calibration-off", weight=Weight.AGAINST, facts=facts)
    return GateReason("calibrated", weight=Weight.FOR, facts=facts)


def _unprocessed_notes(candidate: _ModelEvaluation) -> list[GateReason]:
    if not candidate.unprocessed_count:
        return []
    facts = {
        "unread": candidate.unprocessed_count,
        "images": candidate.is_processed.size,
    }
    return [GateReason("images-unread", weight=Weight.NOTE, facts=facts)]
