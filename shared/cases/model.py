"""The facts of a loaded bundle that a result needs."""

from shared.bundles import Bundle
from shared.cases.result import ModelFacts
from shared.domain.results.result import ModelReference


def model_facts(bundle: Bundle, *, name: str, version: int | None) -> ModelFacts:
    """Collect the facts of a bundle. `version` is None if the model is in no registry."""
    evidence = bundle.model.evidence
    return ModelFacts(
        reference=ModelReference(name=name, version=version, digest=bundle.digest),
        synthetic=bundle.manifest.synthetic,
        prevalence=bundle.prevalence,
        calibration=bundle.model.calibration,
        operating_points=evidence.operating_points if evidence else None,
    )
