"""What must be said of a model wherever its answers are counted or shown."""

from shared.cases.model_findings import model_findings
from shared.domain.results.model_reference import ModelReference
from shared.ledger import SystemSession
from shared.ledger.models.repository import Model


def model_cautions(session: SystemSession, model: Model) -> list[str]:
    """Return the codes of the warnings that a result of this model has about the model itself."""
    standing = session.models.standing(model.digest)
    training = session.model_metadata.training_counts(model.digest)
    reference = ModelReference(
        name=model.name,
        version=model.version,
        digest=model.digest,
        synthetic=model.synthetic,
        gate=standing.gate,
        training_images=training.images if training else None,
        training_malignant=training.malignant if training else None,
        cross_validated_auc=model.metrics.get("auc"),
        test_auc=standing.test_auc.value if standing.test_auc else None,
    )
    return [finding.code for finding in model_findings(reference, standing)]
