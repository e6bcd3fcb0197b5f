"""The last steps of a run: store the bundle, evaluate it on the locked test set, and judge it."""

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

LedgerWrite = Callable[[SystemSession], None]


@dataclass(frozen=True)
class EvaluationContext:
    """The object store, the local folder of bundles, the cache, and the gate's policy."""

    objects: ObjectStore
    bundle_folder: Path
    feature_cache: FeatureCache
    policy: GatePolicy


def store_bundle(model: FittedModel, synthetic: bool, objects: ObjectStore) -> Bundle:
    """Save a model, verify it by loading it, and store its files.

    The last stored file, the manifest, makes the bundle known.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle_folder = Path(folder, "bundle")
        save(model, bundle_folder, synthetic=synthetic)
        bundle = load(bundle_folder)
        publish(bundle_folder, objects)
    return bundle


def load_stored(digest: str, context: EvaluationContext) -> Bundle:
    """Verify and load a stored bundle."""
    folder = fetch(digest, context.objects, context.bundle_folder)
    return load(folder, expected_digest=digest)


def evaluate(
    digest: str,
    test_images: Sequence[LabelledImage],
    context: EvaluationContext,
    progress: ProgressCallback,
) -> EvaluationOutcome:
    """Compute the candidate's figures on the locked test set. There are none if there are too few
    images.
    """
    judgement = _judge(
        candidate=load_stored(digest, context),
        live=None,
        test_images=test_images,
        context=context,
        progress=progress,
    )
    figures = judgement.figures.get("candidate")
    if not figures:
        return EvaluationOutcome(images=len(test_images))
    return EvaluationOutcome(
        images=len(test_images),
        auc=figures["auc"]["value"],
        sensitivity=figures["sensitivity"]["value"],
    )


def compare_with_live(
    digest: str,
    live_digest: str | None,
    test_images: Sequence[LabelledImage],
    context: EvaluationContext,
    progress: ProgressCallback,
) -> Judgement:
    """Judge the candidate against the live model, if there is one.

    A candidate that is live itself is compared with itself and cannot be worse.
    """
    live = load_stored(live_digest, context) if live_digest else None
    return _judge(
        candidate=load_stored(digest, context),
        live=live,
        test_images=test_images,
        context=context,
        progress=progress,
        by_roi_kind=True,
    )


def gate_record(
    digest: str,
    live_digest: str | None,
    version_id: UUID | None,
    run_id: UUID,
    judgement: Judgement,
) -> LedgerWrite:
    """Return a function that writes the judgement in the transaction that ends the step."""

    def record(session: SystemSession) -> None:
        session.gate_judgements.record(
            model_digest=digest,
            live_digest=live_digest,
            version_id=version_id,
            run_id=run_id,
            judgement=judgement,
        )

    return record


def verdict_message(judgement: Judgement) -> Message:
    """Return the verdict, and the objections against the candidate."""
    return Message(f"gate-{judgement.verdict.value}", {"against": judgement.objections})


def _judge(
    candidate: Bundle,
    live: Bundle | None,
    test_images: Sequence[LabelledImage],
    context: EvaluationContext,
    progress: ProgressCallback,
    by_roi_kind: bool = False,
) -> Judgement:
    return judge(
        candidate=candidate,
        live=live,
        images=test_images,
        objects=context.objects,
        policy=context.policy,
        feature_cache=context.feature_cache,
        progress=progress,
        by_roi_kind=by_roi_kind,
    )
