"""Builds the API views of models, gate judgements, workers, promotions and shadow evaluations."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.api.locales import message_text
from services.api.models.schemas import (
    GateReasonView,
    GateSummary,
    GateView,
    ModelView,
    PromotionView,
    RefusalView,
    RefusedModel,
    ShadowReport,
    ShadowView,
    WorkerView,
)
from shared.domain.messages import to_json
from shared.domain.models import GateReason
from shared.errors import Conflict, NotFound
from shared.ledger import SystemSession
from shared.ledger.models.gate_judgements import GateJudgement
from shared.ledger.models.promotions import Promotion
from shared.ledger.models.repository import Model
from shared.ledger.models.serving import Refusal, Worker
from shared.ledger.models.shadows import Shadow, ShadowPair
from shared.statistics.model_life.shadow import (
    Comparison,
    PairedPredictions,
    compare_models,
)


class GateAbsent(NotFound):
    code = "gate-absent"
    text = (
        "The gate has not judged {name}. A training run judges its model; POST "
        "/v1/models/{name}/gate does it again."
    )


class MadeElsewhere(Conflict):
    code = "made-elsewhere"
    text = (
        "{name} was not trained here, so it has no locked test set to be judged on. Promote it "
        "with a reason."
    )


def run_id_of(model: Model) -> UUID:
    """Return the training run that produced a model. Raises MadeElsewhere."""
    if model.run_id is None:
        raise MadeElsewhere(name=f"{model.name}/{model.version}")
    return model.run_id


def model_views(session: SystemSession, models: Sequence[Model]) -> list[ModelView]:
    """Return models with their gate judgements, and the workers that serve or refuse them."""
    judgements = session.gate_judgements.latest_by_model()
    workers = session.serving.present_workers()
    shadow = session.shadows.current()
    live_digest = session.models.live_digest()
    views = []
    for model in models:
        digest = model.digest
        gate = None
        if digest in judgements:
            gate = gate_summary(judgements[digest], live_digest)
        serving = [worker.name for worker in workers if worker.model_digest == digest]
        views.append(
            ModelView(
                **vars(model),
                shadow=shadow is not None and shadow.model_digest == digest,
                gate=gate,
                serving=serving,
                refused=refusals_of_model(workers, digest),
            )
        )
    return views


def model_view(session: SystemSession, name_or_digest: str) -> ModelView:
    return model_views(session, [session.models.find(name_or_digest)])[0]


def refusals_of_model(workers: Sequence[Worker], digest: str) -> list[RefusalView]:
    """Return the refusals of one model by workers."""
    views = []
    for worker in workers:
        refusal = worker.refusal
        if refusal and refusal.digest == digest:
            views.append(RefusalView(worker=worker.name, **_refusal_fields(refusal)))
    return views


def gate_summary(judgement: GateJudgement, live_digest: str | None) -> GateSummary:
    """Summarise a gate judgement. It is stale if another model is live now. The judgement of the
    live model itself is never stale.
    """
    is_live = judgement.model_digest == live_digest
    return GateSummary(
        verdict=judgement.verdict,
        judged_against=judgement.live_digest,
        stale=not is_live and judgement.live_digest != live_digest,
        at=judgement.created_at,
    )


def gate_view(session: SystemSession, name_or_digest: str) -> GateView:
    """Return the latest gate judgement of a model. Raises GateAbsent."""
    model = session.models.find(name_or_digest)
    judgement = session.gate_judgements.latest(model.digest)
    if judgement is None:
        raise GateAbsent(name=f"{model.name}/{model.version}")
    summary = gate_summary(judgement, session.models.live_digest())
    return GateView(
        **summary.model_dump(),
        gate_id=judgement.id,
        model=judgement.model_digest,
        version_id=judgement.version_id,
        run_id=judgement.run_id,
        reasons=[reason_view(reason) for reason in judgement.reasons],
        figures=judgement.figures,
        policy=judgement.policy,
    )


def reason_view(reason: GateReason) -> GateReasonView:
    return GateReasonView(
        code=reason.code,
        sentence=message_text(reason.message),
        weight=reason.weight,
        facts=to_json(reason.facts),
    )


def promotion_view(promotion: Promotion) -> PromotionView:
    fields = dict(vars(promotion))
    number = fields.pop("id")
    digest = fields.pop("model_digest")
    return PromotionView(number=number, model=digest, **fields)


def worker_view(worker: Worker) -> WorkerView:
    refused = None
    if worker.refusal:
        refused = RefusedModel(
            model=worker.refusal.digest, **_refusal_fields(worker.refusal)
        )
    return WorkerView(
        worker=worker.name,
        model=worker.model_digest,
        since=worker.serving_since,
        refused=refused,
        seen_at=worker.seen_at,
        device=worker.device,
        claimed_at=worker.claimed_at,
    )


def shadow_view(shadow: Shadow) -> ShadowView:
    reason = shadow.end_reason
    return ShadowView(
        shadow_id=shadow.id,
        model=shadow.model_digest,
        share=shadow.share,
        actor=shadow.actor,
        started_at=shadow.started_at,
        ended_at=shadow.ended_at,
        end_reason=message_text(reason) if reason else None,
        end_code=reason.code if reason else None,
        end_facts=to_json(reason.facts) if reason else None,
    )


def shadow_report(session: SystemSession, name_or_digest: str) -> ShadowReport:
    """Return the results of a shadow evaluation, compared with the last live model during the
    evaluation.
    """
    model = session.models.find(name_or_digest)
    shadow = session.shadows.latest_of_model(model.digest)
    pairs = session.shadows.pairs(shadow)
    live_digest = pairs[-1].live_digest if pairs else None
    compared = [pair for pair in pairs if pair.live_digest == live_digest]
    waiting = 0 if shadow.ended_at else session.shadows.count_waiting(shadow)
    return ShadowReport(
        **shadow_view(shadow).model_dump(),
        read=len(pairs),
        unread=sum(pair.score is None for pair in pairs),
        waiting=waiting,
        against=live_digest,
        elsewhere=len(pairs) - len(compared),
        comparison=compare_pairs(compared),
    )


def compare_pairs(pairs: Sequence[ShadowPair]) -> Comparison | None:
    """Compare two models on the cases that both have analysed.

    A pair has no score if the shadow model could not process the image.
    """
    scored = [pair for pair in pairs if pair.score is not None]
    malignant = [
        float("nan") if pair.malignant is None else float(pair.malignant)
        for pair in scored
    ]
    predictions = PairedPredictions(
        live_scores=[pair.live_score for pair in scored],
        scores=[pair.score for pair in scored if pair.score is not None],
        live_risks=[pair.live_risk for pair in scored],
        risks=[pair.risk for pair in scored if pair.risk is not None],
        live_decisions=[pair.live_decision for pair in scored],
        decisions=[pair.decision for pair in scored if pair.decision is not None],
        hospitals=[pair.hospital for pair in scored],
        made_at=[pair.made_at for pair in scored],
        malignant=malignant,
    )
    return compare_models(predictions)


def _refusal_fields(refusal: Refusal) -> dict[str, Any]:
    return {
        "code": refusal.reason.code,
        "message": message_text(refusal.reason),
        "facts": to_json(refusal.reason.facts),
    }
