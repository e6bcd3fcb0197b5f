"""A model's evidence in and out of a bundle: counts in the manifest, arrays in a file of their own."""

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
    OperatingPoint,
    Proportion,
    wilson,
)

EVIDENCE_FILE = "evidence.safetensors"
QUANTILES = ("score", "risk", "strangeness", "embedding")
CALIBRATION = ("benign", "malignant")
Arrays = Mapping[str, NDArray[np.float64]]


def pack(evidence: Evidence) -> bytes:
    """The reference's quantiles and the calibration scores of both classes."""
    quantiles = {name: getattr(evidence.reference, name) for name in QUANTILES}
    scores = {name: getattr(evidence.conformal, name) for name in CALIBRATION}
    return safetensors.numpy.save(
        {
            name: np.ascontiguousarray(array)
            for name, array in (quantiles | scores).items()
        }
    )


def evidence_entry(evidence: Evidence) -> EvidenceEntry:
    return EvidenceEntry(
        file=EVIDENCE_FILE,
        operating_points=tuple(map(_point_entry, evidence.operating_points)),
        coverage=tuple(map(_coverage_entry, evidence.coverage)),
        calibration=tuple(map(_bin_entry, evidence.calibration)),
    )


def unpack(kept: EvidenceEntry, arrays: Arrays) -> Evidence:
    """The evidence that `pack` and `entry` took. Raises `BundleUnreadable`."""
    if missing := {*QUANTILES, *CALIBRATION} - set(arrays):
        raise BundleUnreadable(
            part=kept.file, problem=f"it lacks {', '.join(sorted(missing))}"
        )
    return Evidence(
        reference=ReferenceQuantiles(**{name: arrays[name] for name in QUANTILES}),
        conformal=ConformalCases(**{name: arrays[name] for name in CALIBRATION}),
        operating_points=tuple(map(_point, kept.operating_points)),
        coverage=tuple(map(_coverage, kept.coverage)),
        calibration=tuple(map(_bin, kept.calibration)),
    )


def _point_entry(point: OperatingPoint) -> OperatingPointEntry:
    rates = {
        "sensitivity": _count(point.sensitivity),
        "specificity": _count(point.specificity),
    }
    return OperatingPointEntry(
        target=point.target, cutoff=point.cutoff, promised=point.promised, **rates
    )


def _point(kept: OperatingPointEntry) -> OperatingPoint:
    rates = _proportion(kept.sensitivity), _proportion(kept.specificity)
    return OperatingPoint(kept.target, kept.cutoff, kept.promised, *rates)


def _coverage_entry(coverage: ConformalCoverage) -> CoverageEntry:
    classes = {name: _class_entry(getattr(coverage, name)) for name in CALIBRATION}
    return CoverageEntry(alpha=coverage.alpha, **classes)


def _class_entry(found: ClassCoverage) -> ClassCoverageEntry:
    return ClassCoverageEntry(
        covered=_count(found.coverage),
        single=found.single_sets,
        both=found.double_sets,
        neither=found.empty_sets,
    )


def _coverage(kept: CoverageEntry) -> ConformalCoverage:
    return ConformalCoverage(kept.alpha, _class(kept.benign), _class(kept.malignant))


def _class(kept: ClassCoverageEntry) -> ClassCoverage:
    return ClassCoverage(
        _proportion(kept.covered), kept.single, kept.both, kept.neither
    )


def _bin_entry(found: CalibrationBin) -> CalibrationBinEntry:
    return CalibrationBinEntry(
        **{name: getattr(found, name) for name in CalibrationBinEntry.model_fields}
    )


def _bin(kept: CalibrationBinEntry) -> CalibrationBin:
    observed = kept.malignant / kept.count
    interval = wilson(kept.malignant, kept.count)
    return CalibrationBin(**kept.model_dump(), observed=observed, interval=interval)


def _count(found: Proportion) -> CountEntry:
    return CountEntry(count=found.successes, of=found.total)


def _proportion(kept: CountEntry) -> Proportion:
    return Proportion(kept.count, kept.of)
