"""The gate's criterion by kind of ROI: outline, box, loose box, none.

A model that is good on the radiologist's outlines can fail on the boxes that readers draw. Each kind
is asked, so the level of each test is divided by the number of kinds (Bonferroni).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.domain.messages import Facts, Message
from shared.domain.models import GateReason, Weight
from shared.statistics.cases import Flags
from shared.statistics.confusion import ConfusionTable, Measure, Proportion
from shared.statistics.discrimination.clustered import Areas, clustered_areas
from shared.statistics.intervals import wilson
from shared.statistics.model_life.evaluation import rate_to_json
from shared.statistics.model_life.gate_criteria import (
    SIGNIFICANCE,
    NonInferiority,
    non_inferiority,
)
from shared.statistics.model_life.gate_predictions import (
    RoiKindPredictions,
    count_unprocessed,
)


@dataclass(frozen=True)
class RoiKindRow:
    """How the models do on images with one kind of ROI.

    Attributes
    ----------
    areas : AUC of the candidate, and of the live model if there is one
    sensitivity, specificity : of the candidate, at its own cut-off
    comparison : candidate against the live model; None without one
    """

    kind: str
    images: int
    malignant: int
    areas: Areas
    sensitivity: Proportion
    specificity: Proportion
    comparison: NonInferiority | None

    def to_json(self) -> dict[str, Any]:
        auc = _area_to_json(self.areas, 0)
        live_auc = None if self.comparison is None else _area_to_json(self.areas, 1)
        return {
            "kind": self.kind,
            "images": self.images,
            "malignant": self.malignant,
            "auc": auc,
            "live_auc": live_auc,
            "sensitivity": rate_to_json(self.sensitivity),
            "specificity": rate_to_json(self.specificity),
            "comparison": None if self.comparison is None else asdict(self.comparison),
        }


def roi_kind_rows(
    predictions: Sequence[RoiKindPredictions],
    malignant: Flags,
    patients: NDArray[Any],
    *,
    least_of_each_class: int,
    margin: float,
) -> list[RoiKindRow]:
    """Return a row for each kind of ROI with enough images of both classes.

    Parameters
    ----------
    malignant, patients : (N,) of all test images
    margin : the AUC by which the candidate may be worse than the live model
    """
    asked = []
    for kind_predictions in predictions:
        labels = malignant[kind_predictions.rows]
        if min(labels.sum(), (~labels).sum()) >= least_of_each_class:
            asked.append(kind_predictions)
    return [
        _row(
            kind_predictions,
            malignant=malignant[kind_predictions.rows],
            patients=patients[kind_predictions.rows],
            margin=margin,
            significance=SIGNIFICANCE / len(asked),
        )
        for kind_predictions in asked
    ]


def roi_kind_reasons(
    rows: Sequence[RoiKindRow],
    *,
    sensitivity_floor: float,
    auc_floor: float,
    least_of_each_class: int,
) -> list[GateReason]:
    """Return the objections by kind of ROI.

    A kind objects if the candidate is shown to be worse than the live model there; without a live
    model, if its AUC is below the floor by more than chance. It also objects if the sensitivity is
    below the floor by more than chance.
    """
    if not rows:
        facts: Facts = {"least": least_of_each_class}
        return [GateReason("roi-kinds-not-judged", weight=Weight.NOTE, facts=facts)]
    significance = SIGNIFICANCE / len(rows)
    objections = []
    for row in rows:
        objections += _auc_objections(row, auc_floor, significance)
        interval = wilson(
            row.sensitivity.successes, row.sensitivity.total, 1 - significance
        )
        if interval.high < sensitivity_floor:
            facts = {
                "kind": _kind_message(row.kind),
                "found": row.sensitivity.successes,
                "of": row.sensitivity.total,
                "floor": sensitivity_floor,
            }
            objections.append(_objection("roi-kind-sensitivity-below-floor", facts))
    if objections:
        return objections
    lowest = min(rows, key=_auc)
    facts = {
        "kinds": len(rows),
        "lowest": _auc(lowest),
        "kind": _kind_message(lowest.kind),
    }
    return [GateReason("roi-kinds-kept", weight=Weight.FOR, facts=facts)]


def _row(
    predictions: RoiKindPredictions,
    *,
    malignant: Flags,
    patients: NDArray[Any],
    margin: float,
    significance: float,
) -> RoiKindRow:
    candidate = count_unprocessed(predictions.candidate, malignant)
    scores = [candidate.scores]
    comparison = None
    if predictions.live is not None:
        live = count_unprocessed(predictions.live, malignant)
        scores.append(live.scores)
        comparison = non_inferiority(
            candidate.scores,
            live.scores,
            malignant,
            margin=margin,
            significance=significance,
            patients=patients,
        )
    table = ConfusionTable.from_decisions(candidate.decisions, malignant)
    return RoiKindRow(
        kind=predictions.kind,
        images=malignant.size,
        malignant=int(malignant.sum()),
        areas=clustered_areas(np.stack(scores), malignant, patients),
        sensitivity=table.proportion(Measure.SENSITIVITY),
        specificity=table.proportion(Measure.SPECIFICITY),
        comparison=comparison,
    )


def _auc_objections(
    row: RoiKindRow, auc_floor: float, significance: float
) -> list[GateReason]:
    facts: Facts
    test = row.comparison
    if test is None:
        interval = row.areas.interval(0, 1 - 2 * significance)
        if interval.high >= auc_floor:
            return []
        facts = {
            "kind": _kind_message(row.kind),
            "auc": _auc(row),
            "floor": auc_floor,
        }
        return [_objection("roi-kind-auc-below-floor", facts)]
    if test.is_shown or test.high >= 0:
        return []
    facts = {
        "kind": _kind_message(row.kind),
        "auc": _auc(row),
        "live": float(row.areas.values[1]),
        "difference": test.difference,
        "level": test.level,
        "low": test.low,
        "high": test.high,
    }
    return [_objection("roi-kind-worse", facts)]


def _objection(code: str, facts: Facts) -> GateReason:
    return GateReason(code, weight=Weight.AGAINST, facts=facts)


def _kind_message(kind: str) -> Message:
    return Message(f"roi-kind-{kind}")


def _auc(row: RoiKindRow) -> float:
    return float(row.areas.values[0])


def _area_to_json(areas: Areas, reader: int) -> dict[str, float]:
    return {"value": float(areas.values[reader]), **asdict(areas.interval(reader))}
