"""What a run ends with: a stored bundle, its figures on the locked test set, and the gate's verdict."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from services.trainer.gate import judge
from shared.bundles import Bundle, load, save
from shared.bundles.storage import fetch, publish
from shared.domain.messages import Message
from shared.domain.models import Judgement
from shared.domain.training.steps import EvaluationOutcome
from shared.learning import FittedModel, ProgressCallback
from shared.learning.features.cache import FeatureCache
from shared.ledger import SystemSession
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.objects import ObjectStore
from shared.statistics.model_life.gate import GatePolicy

Also = Callable[[SystemSession], None]


@dataclass(frozen=True)
class EvaluationContext:
    """Where bundles come from and go to, and what is asked of them."""

    objects: ObjectStore
    shelf: Path
    keep: FeatureCache
    policy: GatePolicy


def store(model: FittedModel, synthetic: bool, objects: ObjectStore) -> Bundle:
    """Save a model, prove it by loading it, and store its files; the last file makes it known."""
    with tempfile.TemporaryDirectory() as folder:
        save(model, Path(folder, "bundle"), synthetic=synthetic)
        bundle = load(Path(folder, "bundle"))
        publish(Path(folder, "bundle"), objects)
    return bundle


def taken(digest: str, bench: EvaluationContext) -> Bundle:
    """A stored bundle, verified and loaded."""
    return load(fetch(digest, bench.objects, bench.shelf), expected_digest=digest)


def evaluated(
    digest: str, tests: Sequence[LabelledImage], bench: EvaluationContext, progress: ProgressCallback
) -> EvaluationOutcome:
    """The candidate's own figures on the locked test set; none where there are too few images."""
    judgement = _judged(taken(digest, bench), None, tests, bench, progress)
    own = judgement.figures.get("candidate")
    if not own:
        return EvaluationOutcome(images=len(tests))
    return EvaluationOutcome(
        images=len(tests),
        auc=own["auc"]["value"],
        sensitivity=own["sensitivity"]["value"],
    )


def gated(
    digest: str,
    live: str | None,
    tests: Sequence[LabelledImage],
    bench: EvaluationContext,
    progress: ProgressCallback,
) -> Judgement:
    """The candidate judged against what is live; against itself there is nothing to lose."""
    against = taken(live, bench) if live else None
    return _judged(taken(digest, bench), against, tests, bench, progress)


def recorded(
    digest: str, live: str | None, version: UUID | None, run: UUID, judgement: Judgement
) -> Also:
    """Writes the judgement with the step's end."""

    def record(session: SystemSession) -> None:
        session.gate_judgements.record(digest, live, version, run, judgement)

    return record


def message(judgement: Judgement) -> Message:
    """The verdict, and what speaks against the candidate."""
    return Message(f"gate-{judgement.verdict.value}", {"against": judgement.objections})


def _judged(
    candidate: Bundle,
    live: Bundle | None,
    tests: Sequence[LabelledImage],
    bench: EvaluationContext,
    progress: ProgressCallback,
) -> Judgement:
    return judge(
        candidate, live, tests, bench.objects, bench.policy, bench.keep, progress
    )
