"""Findings about the model of a result: what its reader must know before trusting any answer."""

from shared.domain.model_standing import ModelStanding
from shared.domain.results.findings import Finding
from shared.domain.results.model_reference import GateStanding, ModelReference
from shared.domain.results.statement import (
    FEW_TRAINING_IMAGES,
    GATE_OVERRULED,
    SYNTHETIC_MODEL,
    TEST_APART,
)

LEAST_OF_EACH_CLASS = 100
"""With fewer images of a class, a model's own figures are too uncertain to rely on: Vergouwe et al.,
J Clin Epidemiol 58:475 (2005); Collins et al., Stat Med 35:214 (2016).
"""
SYNTHETIC = Finding(
    SYNTHETIC_MODEL,
    "The model was trained on synthetic phantoms. Its answer means nothing for a patient.",
)
OVERRULED_TEXT = (
    "An operator made this model live without a passed validation against the model before it. "
    "Rely on it less, and ask the operator for the reason."
)
FEW_IMAGES_TEXT = (
    "The model was trained on few images: {malignant} malignant and {benign} benign. Its figures "
    "are uncertain."
)
APART_TEXT = (
    "The model's AUC was {cross_validated:.2f} in cross-validation and {test:.2f} (95 % interval "
    "{low:.2f} to {high:.2f}) on its test set: one of the two does not describe it."
)


def model_findings(
    model: ModelReference, standing: ModelStanding
) -> tuple[Finding, ...]:
    """The findings about a model, the most serious first."""
    findings: list[Finding] = []
    if model.synthetic:
        findings.append(SYNTHETIC)
    if model.gate is GateStanding.OVERRULED:
        facts = {"objection": standing.objection or ""}
        findings.append(Finding(GATE_OVERRULED, OVERRULED_TEXT, facts))
    findings += _apart(model, standing)
    findings += _few_images(model)
    return tuple(findings)


def _apart(model: ModelReference, standing: ModelStanding) -> list[Finding]:
    """A finding if cross-validation's AUC is outside the 95 % interval of the test's."""
    test = standing.test_auc
    cross_validated = model.cross_validated_auc
    if test is None or cross_validated is None:
        return []
    if test.low <= cross_validated <= test.high:
        return []
    facts = {
        "cross_validated": cross_validated,
        "test": test.value,
        "low": test.low,
        "high": test.high,
    }
    return [Finding(TEST_APART, APART_TEXT.format(**facts), facts)]


def _few_images(model: ModelReference) -> list[Finding]:
    if model.training_images is None or model.training_malignant is None:
        return []
    benign = model.training_images - model.training_malignant
    if min(benign, model.training_malignant) >= LEAST_OF_EACH_CLASS:
        return []
    facts = {"malignant": model.training_malignant, "benign": benign}
    return [Finding(FEW_TRAINING_IMAGES, FEW_IMAGES_TEXT.format(**facts), facts)]
