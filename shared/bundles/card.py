"""Builds a model card: intended use, data, method, performance and limits, as JSON values.

Source of the form: Mitchell et al., FAT* 2019.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from shared.bundles.bundle import Bundle
from shared.bundles.golden_cases import TOLERANCE
from shared.bundles.ledger_record import confusion_table
from shared.cards import statements
from shared.learning import FittedComponent
from shared.networks import WeightsSource, get_network
from shared.recipes import (
    SUPERVISED_TUNINGS,
    FeatureSet,
    NetworkFeatures,
    Recipe,
    Tuning,
)
from shared.statistics import (
    ASSUMED_PREVALENCE,
    BIOPSY_NONE,
    CalibrationBin,
    ConfusionTable,
    DecisionCurve,
    Measure,
    VennAbers,
    interval_around,
    predictive_values,
)

FORMAT = 1
VALIDATION_METHOD = (
    "{folds}-fold cross-validation on the training images, stratified by class and split by "
    "patient{known}: each image "
    "is judged by a model that saw neither it nor its patient. Settings, calibration, fusion and "
    "cut-off of a fold "
    "come from the other folds. There is no external test in these figures."
)
NO_KNOWN_PATIENTS = " (none is named here, so each image stood by itself)"
SOME_KNOWN_PATIENTS = " where that is known"
TUNINGS = {
    Tuning.NONE: "as pre-trained",
    Tuning.TRANSFER: (
        "a new last layer was trained on the training images, "
        "the rest is as pre-trained"
    ),
    Tuning.FINE_TUNE: "trained on from the pre-trained weights",
    Tuning.PHANTOMS: "trained from nothing on drawn phantoms",
}
RATES = (Measure.SENSITIVITY, Measure.SPECIFICITY, Measure.ACCURACY)
CLINICAL_PREVALENCES = (0.15, ASSUMED_PREVALENCE)
"""Share of malignant nodules in clinics (K20).

Predictive values at the training images' prevalence would be of little use.
"""
INTERVAL_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares of the training images whose score is lower, at which the card shows the interval."""
NO_PRETRAINED_WEIGHTS = {"from": "none: trained from nothing", "licence": "none needed"}


def model_card(bundle: Bundle) -> dict[str, Any]:
    """Return the facts about a model for a clinician, a hospital or a regulator, as JSON values.

    The ledger fills `stored` and `gate`, because a bundle does not know its number in the ledger,
    whether it is live, and how it did on a locked test set.
    """
    manifest = bundle.manifest
    return {
        "format": FORMAT,
        "model": _model(bundle),
        "stored": None,
        "gate": None,
        "device": statements.DEVICE,
        "intended": _intended_uses(manifest.synthetic),
        "not_intended": _unintended_uses(manifest.synthetic),
        "data": _data(bundle),
        "recipe": _recipe(bundle),
        "performance": _performance(bundle),
        "operating_points": _operating_points(bundle),
        "conformal": _conformal_coverage(bundle),
        "calibration": _calibration(bundle),
        "risk_intervals": _risk_intervals(bundle),
        "decision_curves": _decision_curves(bundle),
        "left_out_sites": _left_out_sites(bundle),
        "limits": _limits(bundle),
        "published": {
            "note": statements.PUBLISHED_NOTE,
            "figures": [dict(figure) for figure in statements.PUBLISHED],
        },
        "golden": {"cases": len(manifest.golden.scores), "tolerance": TOLERANCE},
        "libraries": dict(sorted(manifest.libraries.items())),
    }


def _model(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "created": manifest.created,
        "synthetic": manifest.synthetic,
        "format": manifest.format,
        "digest": bundle.digest,
        "classes": list(manifest.classes),
        "positive": manifest.classes[1],
    }


def _intended_uses(is_synthetic: bool) -> list[str]:
    uses = statements.SYNTHETIC_INTENDED if is_synthetic else statements.INTENDED
    return list(uses)


def _unintended_uses(is_synthetic: bool) -> list[str]:
    uses = list(statements.SYNTHETIC_NOT_INTENDED) if is_synthetic else []
    return [*uses, *statements.NOT_INTENDED]


def _data(bundle: Bundle) -> dict[str, Any]:
    training = bundle.manifest.training
    return {
        **training.model_dump(),
        "prevalence": bundle.prevalence,
        "synthetic": bundle.manifest.synthetic,
    }


def _recipe(bundle: Bundle) -> dict[str, Any]:
    model = bundle.model
    recipe = model.recipe
    metrics = bundle.manifest.metrics
    return {
        "name": recipe.name,
        "version": recipe.version,
        "source": recipe.source,
        "features": [_feature_set(features) for features in recipe.features],
        "tuning": _tuning(recipe),
        "readers": [
            _component(recipe, component, metrics) for component in model.components
        ],
        "fusion": {"rule": recipe.fusion.rule, "weights": list(model.fusion.weights)},
        "cutoff": {"rule": recipe.decision.cutoff, "score": model.cutoff},
        "calibration": recipe.decision.calibration,
        "novelty": {
            "quantile": recipe.decision.novelty_quantile,
            "limit": model.novelty_limit,
        },
        "judges_whole_pictures": model.belonging is not None,
        "margin": recipe.roi.margin,
        "outline": _outline(bundle),
    }


def _outline(bundle: Bundle) -> dict[str, Any] | None:
    """Return the outline network and its agreement with outlines that it did not see.

    They are people's, or those of phantoms. None if the model has no outline network.
    """
    plan = bundle.model.recipe.outline
    if plan is None:
        return None
    card = get_network(plan.encoder).card
    prefix = "outline_dice_"
    return {
        "encoder": plan.encoder,
        "phantoms": plan.phantoms,
        "frozen": plan.frozen,
        "epochs": plan.epochs,
        "source": card.source,
        "weights": _weights_origin(card.weights),
        "dice": {
            name.removeprefix(prefix): value
            for name, value in bundle.manifest.metrics.items()
            if name.startswith(prefix)
        },
    }


def _feature_set(features: FeatureSet) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": features.name,
        "network": features.network,
        "taps": features.tap,
    }
    if isinstance(features, NetworkFeatures):
        card = get_network(features.network).card
        entry["tuning"] = _tuning_description(features)
        entry["source"] = card.source
        entry["weights"] = _weights_origin(card.weights)
    else:
        entry["tuning"] = "by formula, definitions of the IBSI"
        entry["source"] = "Zwanenburg et al., Radiology 295:328 (2020)"
        entry["weights"] = None
    return entry


def _tuning_description(features: NetworkFeatures) -> str:
    description = TUNINGS[features.tuning]
    if features.frozen and features.tuning is Tuning.FINE_TUNE:
        description += f", up to {features.frozen} left as it was"
    return description


def _weights_origin(weights: WeightsSource | None) -> dict[str, str]:
    if weights is None:
        return NO_PRETRAINED_WEIGHTS
    return {"from": weights.url or "a file", "licence": weights.licence}


def _tuning(recipe: Recipe) -> dict[str, Any] | None:
    """Return how networks were trained on the training images. None if no network was trained."""
    plan = recipe.tuning
    if plan is None or not _has_tuned_network(recipe):
        return None
    return {
        "epochs": plan.epochs,
        "momentum": plan.momentum,
        "batch": plan.batch,
        "balance": plan.balance,
        "flips": plan.flips,
        "average": plan.average,
        "rates": list(plan.rates),
        "decays": list(plan.decays),
    }


def _has_tuned_network(recipe: Recipe) -> bool:
    return any(
        isinstance(features, NetworkFeatures) and features.tuning in SUPERVISED_TUNINGS
        for features in recipe.features
    )


def _component(
    recipe: Recipe, component: FittedComponent, metrics: Mapping[str, float]
) -> dict[str, Any]:
    feature_sets = [recipe.features[index].name for index in component.feature_sets]
    name = f"{'+'.join(feature_sets)}/{component.kind}"
    return {
        "name": name,
        "kind": component.kind,
        "settings": dict(component.settings),
        "auc": metrics.get(f"auc {name}"),
    }


def _performance(bundle: Bundle) -> dict[str, Any]:
    metrics = bundle.manifest.metrics
    table = confusion_table(bundle)
    folds = int(metrics["folds"])
    known_patients = _known_patients(bundle)
    return {
        "how": VALIDATION_METHOD.format(folds=folds, known=known_patients),
        "images": int(metrics["images"]),
        "folds": folds,
        "prevalence": metrics["prevalence"],
        "auc": _auc(metrics),
        "rates": _rates(metrics, table),
        "rates_method": "Wilson" if table else None,
        "predictive": [
            _predictive_values(metrics, prevalence)
            for prevalence in CLINICAL_PREVALENCES
        ],
        "brier": metrics["brier"],
        "calibration_error": metrics["calibration_error"],
    }


def _auc(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Return the AUC with its interval.

    If the classes do not overlap, DeLong's variance is 0 and there is no interval.
    """
    low: float | None = metrics["auc_low"]
    high: float | None = metrics["auc_high"]
    if low == high:
        low = None
        high = None
    return {
        "value": metrics["auc"],
        "low": low,
        "high": high,
        "method": "DeLong, logit scale",
    }


def _known_patients(bundle: Bundle) -> str:
    """Return the part of `VALIDATION_METHOD` that says for how many images the patient is known."""
    training = bundle.manifest.training
    if training.patients == 0:
        return NO_KNOWN_PATIENTS
    return "" if training.patients == training.groups else SOME_KNOWN_PATIENTS


def _rates(
    metrics: Mapping[str, float], table: ConfusionTable | None
) -> dict[str, Any]:
    """Return the rates at Youden's cut-off.

    For bundles that store no counts, only the values are returned.
    """
    if table:
        return {str(rate): table.proportion(rate).to_json() for rate in RATES}
    return {
        str(rate): {
            "value": metrics[rate],
            "low": None,
            "high": None,
            "count": None,
            "of": None,
        }
        for rate in RATES
    }


def _predictive_values(
    metrics: Mapping[str, float], prevalence: float
) -> dict[str, Any]:
    values = predictive_values(
        metrics["sensitivity"], metrics["specificity"], prevalence
    )
    ppv, npv = (None if math.isnan(value) else value for value in values)
    return {"prevalence": prevalence, "ppv": ppv, "npv": npv}


def _operating_points(bundle: Bundle) -> list[dict[str, Any]] | None:
    evidence = bundle.model.evidence
    if evidence is None:
        return None
    return [point.to_json() for point in evidence.operating_points]


def _conformal_coverage(bundle: Bundle) -> list[dict[str, Any]] | None:
    evidence = bundle.model.evidence
    if evidence is None:
        return None
    return [coverage.to_json() for coverage in evidence.coverage]


def _calibration(bundle: Bundle) -> list[dict[str, Any]] | None:
    evidence = bundle.model.evidence
    if evidence is None:
        return None
    return [_calibration_bin(entry) for entry in evidence.calibration]


def _calibration_bin(entry: CalibrationBin) -> dict[str, Any]:
    return {
        "low": entry.low,
        "high": entry.high,
        "count": entry.count,
        "malignant": entry.malignant,
        "mean_probability": entry.mean_probability,
        "observed": entry.observed,
        "observed_low": entry.interval.low,
        "observed_high": entry.interval.high,
    }


def _risk_intervals(bundle: Bundle) -> dict[str, Any] | None:
    """Return the risk with its interval at some quantiles of the training images' scores."""
    evidence = bundle.model.evidence
    if evidence is None:
        return None
    scores = np.quantile(evidence.reference.score, INTERVAL_QUANTILES)
    risks = bundle.model.calibration.apply(scores)
    ends = VennAbers.from_cases(evidence.conformal).intervals(scores)
    rows = []
    for share, risk, (low, high) in zip(
        INTERVAL_QUANTILES, risks.tolist(), ends.tolist(), strict=True
    ):
        low, high = interval_around(risk, (low, high))
        rows.append({"quantile": share, "risk": risk, "low": low, "high": high})
    return {"guarantee": statements.RISK_INTERVAL, "rows": rows}


def _decision_curves(bundle: Bundle) -> list[dict[str, Any]] | None:
    """Return the decision curves; None if the bundle stores none."""
    evidence = bundle.model.evidence
    if evidence is None or not evidence.decision_curves:
        return None
    return [_decision_curve(curve) for curve in evidence.decision_curves]


def _decision_curve(curve: DecisionCurve) -> dict[str, Any]:
    columns = {
        "threshold": curve.threshold.tolist(),
        "net_benefit": curve.net_benefit.tolist(),
        "low": curve.low.tolist(),
        "high": curve.high.tolist(),
        "biopsy_all": curve.biopsy_all.tolist(),
    }
    points = [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]
    superior = curve.threshold[curve.is_superior].tolist()
    return {
        "prevalence": curve.prevalence,
        "biopsy_none": BIOPSY_NONE,
        "points": points,
        "superior_at": superior,
    }


def _left_out_sites(bundle: Bundle) -> dict[str, Any] | None:
    """Return the figures at sites that a fit had not seen. The sites are not named."""
    evidence = bundle.model.evidence
    sites = None if evidence is None else evidence.left_out_sites
    if sites is None:
        return None
    figures = sites.to_json()
    for row in figures["rows"]:
        del row["site"]
    return figures


def _limits(bundle: Bundle) -> list[str]:
    training = bundle.manifest.training
    limits = list(statements.LIMITS)
    if not training.sites:
        limits.append(statements.NO_SITES)
    if training.patients is None:
        return limits
    unknown = training.groups - training.patients
    if unknown:
        limits.append(
            statements.UNKNOWN_PATIENTS.format(unknown=unknown, images=training.images)
        )
    return limits
