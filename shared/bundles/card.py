"""A model's card: what it is for, made from, worth and not worth, as plain values (Mitchell et al., FAT* 2019)."""

import math
from typing import Any

from shared.bundles.bundle import Bundle
from shared.bundles.golden_cases import TOLERANCE
from shared.bundles.ledger_record import confusion_table
from shared.cards import statements
from shared.learning import FittedComponent
from shared.networks import get_network
from shared.recipes import (
    SUPERVISED_TUNINGS,
    FeatureSet,
    NetworkFeatures,
    Recipe,
    Tuning,
)
from shared.statistics import ConfusionTable, Measure, predictive_values

FORMAT = 1
VALIDATION_METHOD = (
    "{folds}-fold cross-validation on the training images, stratified by class and split by patient{known}: each image "
    "is judged by a model that saw neither it nor its patient. Settings, calibration, fusion and cut-off of a fold "
    "come from the other folds. There is no external test in these figures."
)
NO_KNOWN_PATIENTS = " (none is named here, so each image stood by itself)"
SOME_KNOWN_PATIENTS = " where that is known"
TUNINGS = {
    Tuning.NONE: "as pre-trained",
    Tuning.TRANSFER: "a new last layer was trained on the training images, the rest is as pre-trained",
    Tuning.FINE_TUNE: "trained on from the pre-trained weights",
    Tuning.PHANTOMS: "trained from nothing on drawn phantoms",
}
RATES = (Measure.SENSITIVITY, Measure.SPECIFICITY, Measure.ACCURACY)
CLINICAL_PREVALENCES = (0.15, 0.23)
"""Share of malignant nodules that clinics see (K20): predictive values at the training images' share mean little."""
NO_PRETRAINED_WEIGHTS = {"from": "none: trained from nothing", "licence": "none needed"}


def model_card(bundle: Bundle) -> dict[str, Any]:
    """Everything a reader, a hospital or a regulator should know of a model, ready to be kept as JSON.

    `stored` is for the ledger to fill: a bundle does not know under which number it goes, nor whether it is live.
    """
    manifest = bundle.manifest
    evidence = bundle.model.evidence
    return {
        "format": FORMAT,
        "model": _model(bundle),
        "stored": None,
        "device": statements.DEVICE,
        "intended": list(
            statements.SYNTHETIC_INTENDED if manifest.synthetic else statements.INTENDED
        ),
        "not_intended": [
            *(statements.SYNTHETIC_NOT_INTENDED if manifest.synthetic else ()),
            *statements.NOT_INTENDED,
        ],
        "data": _data(bundle),
        "recipe": _recipe(bundle),
        "performance": _performance(bundle),
        "operating_points": [point.to_json() for point in evidence.operating_points]
        if evidence
        else None,
        "conformal": [found.to_json() for found in evidence.coverage]
        if evidence
        else None,
        "calibration": _calibration(bundle),
        "limits": _limits(bundle),
        "published": {
            "note": statements.PUBLISHED_NOTE,
            "figures": [dict(each) for each in statements.PUBLISHED],
        },
        "golden": {"cases": len(manifest.golden.scores), "tolerance": TOLERANCE},
        "libraries": dict(sorted(manifest.libraries.items())),
    }


def _model(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    names = ("name", "version", "created", "synthetic", "format")
    classes = {"classes": list(manifest.classes), "positive": manifest.classes[1]}
    return (
        {name: getattr(manifest, name) for name in names}
        | {"digest": bundle.digest}
        | classes
    )


def _data(bundle: Bundle) -> dict[str, Any]:
    training = bundle.manifest.training
    return {
        **training.model_dump(),
        "prevalence": bundle.prevalence,
        "synthetic": bundle.manifest.synthetic,
    }


def _recipe(bundle: Bundle) -> dict[str, Any]:
    recipe = bundle.model.recipe
    model = bundle.model
    return {
        "name": recipe.name,
        "version": recipe.version,
        "source": recipe.source,
        "features": [_feature_set(features) for features in recipe.features],
        "tuning": _tuning(recipe),
        "readers": [
            _reader(recipe, reader, bundle.manifest.metrics)
            for reader in model.components
        ],
        "fusion": {"rule": recipe.fusion.rule, "weights": list(model.fusion.weights)},
        "cutoff": {"rule": recipe.decision.cutoff, "score": model.cutoff},
        "calibration": recipe.decision.calibration,
        "novelty": {
            "quantile": recipe.decision.novelty_quantile,
            "limit": model.novelty_limit,
        },
        "margin": recipe.roi.margin,
    }


def _feature_set(features: FeatureSet) -> dict[str, Any]:
    told = {"name": features.name, "network": features.network, "taps": features.tap}
    if not isinstance(features, NetworkFeatures):
        formulas = "by formula, definitions of the IBSI"
        return told | {
            "tuning": formulas,
            "source": "Zwanenburg et al., Radiology 295:328 (2020)",
            "weights": None,
        }
    known = get_network(features.network).card
    weights = known.weights
    origin = (
        {"from": weights.url or "a file", "licence": weights.licence}
        if weights
        else NO_PRETRAINED_WEIGHTS
    )
    held = (
        f", up to {features.frozen} left as it was"
        if features.frozen and features.tuning is Tuning.FINE_TUNE
        else ""
    )
    return told | {
        "tuning": TUNINGS[features.tuning] + held,
        "source": known.source,
        "weights": origin,
    }


def _tuning(recipe: Recipe) -> dict[str, Any] | None:
    """How networks were trained on the training images; None where none was."""
    plan = recipe.tuning
    if plan is None or not any(
        getattr(each, "tuning", None) in SUPERVISED_TUNINGS for each in recipe.features
    ):
        return None
    names = ("epochs", "momentum", "batch", "balance", "flips", "average")
    return {name: getattr(plan, name) for name in names} | {
        "rates": list(plan.rates),
        "decays": list(plan.decays),
    }


def _reader(
    recipe: Recipe, reader: FittedComponent, metrics: dict[str, float]
) -> dict[str, Any]:
    name = f"{'+'.join(recipe.features[place].name for place in reader.feature_sets)}/{reader.kind}"
    return {
        "name": name,
        "kind": reader.kind,
        "settings": dict(reader.settings),
        "auc": metrics.get(f"auc {name}"),
    }


def _performance(bundle: Bundle) -> dict[str, Any]:
    metrics = bundle.manifest.metrics
    table = confusion_table(bundle)
    bare = (
        metrics["auc_low"] == metrics["auc_high"]
    )  # the classes did not overlap: DeLong's variance is 0 there
    bounds = (None, None) if bare else (metrics["auc_low"], metrics["auc_high"])
    auc = {
        "value": metrics["auc"],
        "low": bounds[0],
        "high": bounds[1],
        "method": "DeLong, logit scale",
    }
    return {
        "how": VALIDATION_METHOD.format(
            folds=int(metrics["folds"]), known=_known(bundle)
        ),
        "images": int(metrics["images"]),
        "folds": int(metrics["folds"]),
        "prevalence": metrics["prevalence"],
        "auc": auc,
        "rates": _rates(metrics, table),
        "rates_method": "Wilson" if table else None,
        "predictive": [
            _predictive(metrics, prevalence) for prevalence in CLINICAL_PREVALENCES
        ],
        "brier": metrics["brier"],
        "calibration_error": metrics["calibration_error"],
    }


def _known(bundle: Bundle) -> str:
    training = bundle.manifest.training
    if training.patients == 0:
        return NO_KNOWN_PATIENTS
    return "" if training.patients == training.groups else SOME_KNOWN_PATIENTS


def _rates(metrics: dict[str, float], table: ConfusionTable | None) -> dict[str, Any]:
    """Of the decisions at Youden's cut-off; of bundles that kept no counts the bare values."""
    if table:
        return {str(name): table.proportion(name).to_json() for name in RATES}
    return {
        str(name): {
            "value": metrics[name],
            "low": None,
            "high": None,
            "count": None,
            "of": None,
        }
        for name in RATES
    }


def _predictive(metrics: dict[str, float], prevalence: float) -> dict[str, Any]:
    values = predictive_values(
        metrics["sensitivity"], metrics["specificity"], prevalence
    )
    ppv, npv = (None if math.isnan(value) else value for value in values)
    return {"prevalence": prevalence, "ppv": ppv, "npv": npv}


def _calibration(bundle: Bundle) -> list[dict[str, Any]] | None:
    evidence = bundle.model.evidence
    if evidence is None:
        return None
    names = ("low", "high", "count", "malignant", "mean_probability", "observed")
    return [
        {name: getattr(each, name) for name in names}
        | {"observed_low": each.interval.low, "observed_high": each.interval.high}
        for each in evidence.calibration
    ]


def _limits(bundle: Bundle) -> list[str]:
    training = bundle.manifest.training
    told = list(statements.LIMITS)
    if not training.sites:
        told.append(statements.NO_SITES)
    if training.patients is not None and (
        unknown := training.groups - training.patients
    ):
        told.append(
            statements.UNKNOWN_PATIENTS.format(unknown=unknown, images=training.images)
        )
    return told
