"""Stores a model's evidence in a bundle: counts in the manifest, arrays in a separate file."""

from collections.abc import Mapping

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from shared.bundles.errors import BundleUnreadable
from shared.bundles.manifest import (
    CalibrationBinEntry,
    ClassCoverageEntry,
    CountEntry,
    CoverageEntry,
    EvidenceEntry,
    OperatingPointEntry,
)
from shared.learning import Evidence, ReferenceQuantiles
from shared.statistics import (
    CalibrationBin,
    ClassCoverage,
    ConformalCases,
    ConformalCoverage,
    DecisionCurve,
    OperatingPoint,
    Proportion,
    wilson,
)

EVIDENCE_FILE = "evidence.safetensors"
ARRAY_NAMES = ("score", "risk", "strangeness", "embedding", "benign", "malignant")
"""The arrays in the file. `strangeness` is the file's name for the novelty score."""
CURVE_ARRAY_NAMES = ("curve_prevalence", "curve_threshold", "curve_net_benefit")
"""The decision curves: (C,), (K,), and (C, 3, K) with the value, low and high of the C curves.

They are optional. The release before this one wrote none, and reads past them.
"""

Arrays = Mapping[str, NDArray[np.float64]]


def pack(evidence: Evidence) -> bytes:
    """Pack the reference quantiles, conformal scores of both classes and decision curves."""
    reference = evidence.reference
    arrays = {
        "score": reference.score,
        "risk": reference.risk,
        "strangeness": reference.novelty,
        "embedding": reference.embedding,
        "benign": evidence.conformal.benign,
        "malignant": evidence.conformal.malignant,
        **_curve_arrays(evidence.decision_curves),
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return safetensors.numpy.save(contiguous)


def evidence_entry(evidence: Evidence) -> EvidenceEntry:
    """Return the part of the evidence that the manifest holds."""
    return EvidenceEntry(
        file=EVIDENCE_FILE,
        operating_points=tuple(map(_point_entry, evidence.operating_points)),
        coverage=tuple(map(_coverage_entry, evidence.coverage)),
        calibration=tuple(map(_bin_entry, evidence.calibration)),
        left_out_sites=evidence.left_out_sites,
    )


def unpack(entry: EvidenceEntry, arrays: Arrays) -> Evidence:
    """Unpack the evidence from its manifest entry and its arrays. Raises `BundleUnreadable`."""
    missing = set(ARRAY_NAMES) - set(arrays)
    if missing:
        raise BundleUnreadable(
            part=entry.file, problem=f"it lacks {', '.join(sorted(missing))}"
        )
    return Evidence(
        reference=ReferenceQuantiles(
            score=arrays["score"],
            risk=arrays["risk"],
            novelty=arrays["strangeness"],
            embedding=arrays["embedding"],
        ),
        conformal=ConformalCases(
            benign=arrays["benign"], malignant=arrays["malignant"]
        ),
        operating_points=tuple(map(_point, entry.operating_points)),
        coverage=tuple(map(_coverage, entry.coverage)),
        calibration=tuple(map(_bin, entry.calibration)),
        decision_curves=_curves(entry.file, arrays),
        left_out_sites=entry.left_out_sites,
    )


def _curve_arrays(curves: tuple[DecisionCurve, ...]) -> dict[str, NDArray[np.float64]]:
    """Return the arrays of `CURVE_ARRAY_NAMES`; none without a curve.

    All curves have the same thresholds.
    """
    if not curves:
        return {}
    net_benefits = [
        np.stack([curve.net_benefit, curve.low, curve.high]) for curve in curves
    ]
    return {
        "curve_prevalence": np.array([curve.prevalence for curve in curves]),
        "curve_threshold": curves[0].threshold,
        "curve_net_benefit": np.stack(net_benefits),
    }


def _curves(file: str, arrays: Arrays) -> tuple[DecisionCurve, ...]:
    """Return the curves of a file, which may have none. Raises `BundleUnreadable`."""
    if not set(CURVE_ARRAY_NAMES) & set(arrays):
        return ()
    missing = set(CURVE_ARRAY_NAMES) - set(arrays)
    if missing:
        raise BundleUnreadable(
            part=file, problem=f"it lacks {', '.join(sorted(missing))}"
        )
    prevalences, thresholds, net_benefits = (arrays[name] for name in CURVE_ARRAY_NAMES)
    _check_curves(file, prevalences, thresholds, net_benefits)
    return tuple(
        DecisionCurve(
            prevalence=float(prevalence),
            threshold=thresholds,
            net_benefit=net_benefit,
            low=low,
            high=high,
        )
        for prevalence, (net_benefit, low, high) in zip(
            prevalences, net_benefits, strict=True
        )
    )


def _check_curves(
    file: str,
    prevalences: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    net_benefits: NDArray[np.float64],
) -> None:
    if net_benefits.shape != (*prevalences.shape, 3, *thresholds.shape):
        raise BundleUnreadable(
            part=file, problem=f"curve_net_benefit has the shape {net_benefits.shape}"
        )
    for fractions in (prevalences, thresholds):
        if fractions.ndim != 1 or not np.all((fractions > 0) & (fractions < 1)):
            raise BundleUnreadable(
                part=file, problem="a curve holds at something that is no fraction"
            )


def _point_entry(point: OperatingPoint) -> OperatingPointEntry:
    return OperatingPointEntry(
        target=point.target,
        cutoff=point.cutoff,
        promised=point.promised,
        sensitivity=_count_entry(point.sensitivity),
        specificity=_count_entry(point.specificity),
    )


def _point(entry: OperatingPointEntry) -> OperatingPoint:
    return OperatingPoint(
        target=entry.target,
        cutoff=entry.cutoff,
        promised=entry.promised,
        sensitivity=_proportion(entry.sensitivity),
        specificity=_proportion(entry.specificity),
    )


def _coverage_entry(coverage: ConformalCoverage) -> CoverageEntry:
    return CoverageEntry(
        alpha=coverage.alpha,
        benign=_class_entry(coverage.benign),
        malignant=_class_entry(coverage.malignant),
    )


def _class_entry(coverage: ClassCoverage) -> ClassCoverageEntry:
    return ClassCoverageEntry(
        covered=_count_entry(coverage.coverage),
        single=coverage.single_sets,
        both=coverage.double_sets,
        neither=coverage.empty_sets,
    )


def _coverage(entry: CoverageEntry) -> ConformalCoverage:
    return ConformalCoverage(
        alpha=entry.alpha,
        benign=_class_coverage(entry.benign),
        malignant=_class_coverage(entry.malignant),
    )


def _class_coverage(entry: ClassCoverageEntry) -> ClassCoverage:
    return ClassCoverage(
        coverage=_proportion(entry.covered),
        single_sets=entry.single,
        double_sets=entry.both,
        empty_sets=entry.neither,
    )


def _bin_entry(calibration_bin: CalibrationBin) -> CalibrationBinEntry:
    return CalibrationBinEntry(
        low=calibration_bin.low,
        high=calibration_bin.high,
        count=calibration_bin.count,
        malignant=calibration_bin.malignant,
        mean_probability=calibration_bin.mean_probability,
    )


def _bin(entry: CalibrationBinEntry) -> CalibrationBin:
    return CalibrationBin(
        low=entry.low,
        high=entry.high,
        count=entry.count,
        malignant=entry.malignant,
        mean_probability=entry.mean_probability,
        observed=entry.malignant / entry.count,
        interval=wilson(entry.malignant, entry.count),
    )


def _count_entry(proportion: Proportion) -> CountEntry:
    return CountEntry(count=proportion.successes, of=proportion.total)


def _proportion(entry: CountEntry) -> Proportion:
    return Proportion(successes=entry.count, total=entry.of)
