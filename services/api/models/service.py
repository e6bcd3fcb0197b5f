"""Looking at models from all sides: gates, workers, promotions, shadows."""

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
from shared.ledger.models.shadows import ShadowPair, Shadow
from shared.statistics.model_life.shadow import (
    Comparison,
    PairedPredictions,
    compare_models,
)


class GateAbsent(NotFound):
    code = "gate-absent"
    text = "The gate has not judged {name}. A training run judges its model; POST /v1/models/{name}/gate does it again."


class MadeElsewhere(Conflict):
    code = "made-elsewhere"
    text = "{name} was not trained here, so it has no locked test set to be judged on. Promote it with a reason."


def run_id_of(model: Model) -> UUID:
    """The run that made a model; raises MadeElsewhere."""
    if model.run_id is None:
        raise MadeElsewhere(name=f"{model.name}/{model.version}")
    return model.run_id


def model_views(session: SystemSession, models: Sequence[Model]) -> list[ModelView]:
    """Models with their gates, and the workers that serve or refuse them."""
    gates = session.gate_judgements.latest_by_model()
    workers = session.serving.present_workers()
    shadow = session.shadows.current()
    live = session.models.live_digest()
    return [
        ModelView(
            **vars(model),
            shadow=shadow is not None and shadow.model_digest == model.digest,
            gate=gate_summary(gates[model.digest], live) if model.digest in gates else None,
            serving=[
                worker.name for worker in workers if worker.model_digest == model.digest
            ],
            refused=refusals(workers, model.digest),
        )
        for model in models
    ]


def model_view(session: SystemSession, name_or_digest: str) -> ModelView:
    return model_views(session, [session.models.find(name_or_digest)])[0]


def refusals(workers: Sequence[Worker], digest: str) -> list[RefusalView]:
    return [
        RefusalView(worker=worker.name, **_refused(worker.refusal))
        for worker in workers
        if worker.refusal and worker.refusal.digest == digest
    ]


def gate_summary(gate: GateJudgement, live: str | None) -> GateSummary:
    """A live model's own gate is history, and so never stale."""
    stale = gate.model_digest != live and gate.live_digest != live
    return GateSummary(
        verdict=gate.verdict,
        judged_against=gate.live_digest,
        stale=stale,
        at=gate.created_at,
    )


def gate_view(session: SystemSession, name_or_digest: str) -> GateView:
    """The last judgement of a model, in full."""
    model = session.models.find(name_or_digest)
    found = session.gate_judgements.latest(model.digest)
    if found is None:
        raise GateAbsent(name=f"{model.name}/{model.version}")
    return GateView(
        **gate_summary(found, session.models.live_digest()).model_dump(),
        gate_id=found.id,
        model=found.model_digest,
        version_id=found.version_id,
        run_id=found.run_id,
        reasons=[reason_view(reason) for reason in found.reasons],
        figures=found.figures,
        policy=found.policy,
    )


def reason_view(reason: GateReason) -> GateReasonView:
    return GateReasonView(
        code=reason.code,
        sentence=message_text(reason.message),
        weight=reason.weight,
        facts=to_json(reason.facts),
    )


def promotion_view(row: Promotion) -> PromotionView:
    facts = {**vars(row)}
    return PromotionView(
        number=facts.pop("id"), model=facts.pop("model_digest"), **facts
    )


def worker_view(row: Worker) -> WorkerView:
    refusal = row.refusal
    refused = (
        RefusedModel(model=refusal.digest, **_refused(refusal)) if refusal else None
    )
    same = {
        name: getattr(row, name)
        for name in ("since", "seen_at", "device", "claimed_at")
    }
    return WorkerView(worker=row.name, model=row.model_digest, refused=refused, **same)


def shadow_view(row: Shadow) -> ShadowView:
    reason = row.end_reason
    return ShadowView(
        shadow_id=row.id,
        model=row.model_digest,
        share=row.share,
        actor=row.actor,
        started_at=row.started_at,
        ended_at=row.ended_at,
        end_reason=message_text(reason) if reason else None,
        end_code=reason.code if reason else None,
        end_facts=to_json(reason.facts) if reason else None,
    )


def shadow_report(session: SystemSession, name_or_digest: str) -> ShadowReport:
    """What a model said in the shadow, beside the last model that was live meanwhile."""
    found = session.shadows.latest_of_model(session.models.find(name_or_digest).digest)
    pairs = session.shadows.pairs(found)
    against = pairs[-1].live_digest if pairs else None
    same = [pair for pair in pairs if pair.live_digest == against]
    return ShadowReport(
        **shadow_view(found).model_dump(),
        read=len(pairs),
        unread=sum(pair.score is None for pair in pairs),
        waiting=0 if found.ended_at else session.shadows.count_waiting(found),
        against=against,
        elsewhere=len(pairs) - len(same),
        comparison=compare_pairs(same),
    )


def compare_pairs(pairs: Sequence[ShadowPair]) -> Comparison | None:
    """Of cases that both have read: a pair of which the shadow could not read the image has no score."""
    read = [pair for pair in pairs if pair.score is not None]
    return compare_models(
        PairedPredictions(
            live_scores=[pair.live_score for pair in read],
            scores=[pair.score for pair in read if pair.score is not None],
            live_risks=[pair.live_risk for pair in read],
            risks=[pair.risk for pair in read if pair.risk is not None],
            live_decisions=[pair.live_decision for pair in read],
            decisions=[pair.decision for pair in read if pair.decision is not None],
            hospitals=[pair.hospital for pair in read],
            made_at=[pair.made_at for pair in read],
            malignant=[
                float("nan") if pair.malignant is None else float(pair.malignant)
                for pair in read
            ],
        )
    )


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        "code": refusal.reason.code,
        "message": message_text(refusal.reason),
        "facts": to_json(refusal.reason.facts),
    }
