"""The steps of a run. Each can be repeated: what it makes is kept under a key that names all that decides it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from services.trainer import evaluation
from services.trainer.samples import samples
from services.trainer.step_graph import Pace, plan
from services.trainer.stores import StoredFeatures, StoredFits
from shared.bundles.card import model_card
from shared.bundles.ledger_record import reference_record
from shared.domain.messages import Message
from shared.domain.training.states import StepKind
from shared.domain.training.steps import (
    BundleArguments,
    BundleOutcome,
    EvaluationArguments,
    EvaluationOutcome,
    FeaturesArguments,
    FeaturesOutcome,
    FitArguments,
    FitOutcome,
    FoldArguments,
    FoldOutcome,
    GateArguments,
    GateOutcome,
    NetworkArguments,
    NetworkOutcome,
    PlanArguments,
    PlanOutcome,
    StepOutcome,
    TableArguments,
    TableOutcome,
    TuningArguments,
    TuningOutcome,
    arguments_from_json,
)
from shared.errors import Conflict
from shared.learning import (
    ProgressCallback,
    Sample,
    SkippedImage,
    StoredTable,
    TrainingContext,
    assemble_model,
    build_extractor,
    check_both_classes,
    fit_component,
    recipe_framing,
    precompute_features,
    ignore_progress,
    tuning_keys,
)
from shared.learning.errors import NoneReadable
from shared.ledger import SystemSession
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.datasets.versions import check_usable
from shared.ledger.training.runs import TrainingRun
from shared.ledger.training.steps import ClaimedStep, NewStep
from shared.networks import WeightsFinder
from shared.objects import ObjectStore
from shared.recipes import FeatureSet, Recipe
from shared.statistics.model_life.gate import GatePolicy


class TrainsOnTestImages(Conflict):
    code = "trains-on-test-images"
    text = (
        "{count} training images of this version are in a locked test set, {example} among them. Remove them from the "
        "dataset or move them to its test part, freeze it again and train on the new version."
    )


Made = TypeVar("Made", bound=StepOutcome)

JUDGING = (StepKind.EVALUATION, StepKind.GATE)
"""Steps of a model that is there already: it is judged without test images that were erased."""


@dataclass(frozen=True)
class RunInputs:
    """What a run is made of, as the ledger has it."""

    run: TrainingRun
    recipe: Recipe
    images: Sequence[LabelledImage]
    tests: Sequence[LabelledImage]
    locked: frozenset[str]
    synthetic: bool
    pace: Pace


@dataclass(frozen=True)
class StepInputs:
    """What a step goes by: the outcomes of finished steps, and the digest of the model that is live now.

    `table` and `bundle` are None until their steps are done.
    `learned` are the test images, by hash, that the live model was trained on, `erased` images of any part whose cases
    were erased since the version was frozen.
    """

    features: Sequence[FeaturesOutcome]
    table: TableOutcome | None
    bundle: BundleOutcome | None
    live: str | None
    learned: frozenset[str] = frozenset()
    erased: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StepResult:
    """What a step found, the steps that follow from it, and what else is to be written in the same transaction."""

    outcome: StepOutcome
    message: Message
    adding: Sequence[NewStep] = ()
    also: Callable[[SystemSession], None] = field(default=lambda session: None)


@dataclass(frozen=True)
class TrainingTools:
    """What a trainer works with, whatever the run."""

    objects: ObjectStore
    weights: WeightsFinder
    shelf: Path
    policy: GatePolicy


class RunWork:
    """Does steps of one run in this process; what they share is made once."""

    def __init__(self, material: RunInputs, tools: TrainingTools) -> None:
        self.run = material.run
        self._material = material
        self._recipe = material.recipe
        self._objects = tools.objects
        self._weights = tools.weights
        self._keep = StoredFeatures(tools.objects)
        self._fits = StoredFits(self._keep)
        self._proofs = evaluation.EvaluationContext(
            tools.objects, tools.shelf, self._keep, tools.policy
        )
        self._extractors: dict[FeatureSet, Any] = {}
        self._tell: ProgressCallback = ignore_progress
        self._bench: TrainingContext | None = None

    def close(self) -> None:
        if self._bench:
            self._bench.close()

    def do(self, step: ClaimedStep, found: StepInputs, progress: ProgressCallback) -> StepResult:
        """Do one step; `found` is what the ledger says at this moment."""
        self._tell = progress
        if step.kind not in JUDGING:
            check_usable(found.erased)
        arguments = arguments_from_json(step.kind, step.subject)
        match arguments:
            case NetworkArguments():
                return self.network(arguments)
            case FeaturesArguments():
                return self.features(arguments)
            case TableArguments():
                return self.table(found)
            case TuningArguments():
                return self.tuning(arguments, found)
            case FoldArguments():
                return self.fold(arguments, found)
            case FitArguments():
                return self.fit(arguments, found)
            case BundleArguments():
                return self.bundle(found)
            case EvaluationArguments():
                return self.evaluation(found)
            case GateArguments():
                return self.gate(found)
            case PlanArguments():
                return self.plan()
        raise TypeError(f"no step takes {type(arguments).__name__}")

    def plan(self) -> StepResult:
        """Check what can be checked without pixels, and lay out the steps."""
        material = self._material
        if material.locked:
            raise TrainsOnTestImages(
                count=len(material.locked), example=min(material.locked)[:12]
            )
        check_both_classes(self._samples)
        steps = plan(
            self._recipe, len(material.images), len(material.tests), material.pace
        )
        message = Message("plan-done", {"steps": len(steps)})
        return StepResult(PlanOutcome(steps=len(steps)), message, steps)

    def network(self, arguments: NetworkArguments) -> StepResult:
        features = self._recipe.features[arguments.feature_set]
        self._extractor(features)
        return StepResult(
            NetworkOutcome(), Message("network-done", {"features": features.name})
        )

    def features(self, arguments: FeaturesArguments) -> StepResult:
        """One feature set of a part of the images; those known from before are not computed again."""
        features = self._recipe.features[arguments.feature_set]
        part = self._samples[arguments.start : arguments.end]
        extractors = [self._extractor(features)]
        cut = recipe_framing(self._recipe)
        computed, skipped = precompute_features(
            part, extractors, self._keep, cut, self._progress
        )
        known = len(part) - computed - len(skipped)
        outcome = FeaturesOutcome(
            computed=computed,
            images=len(part),
            skipped=tuple((image.key, image.code) for image in skipped),
        )
        facts = {"features": features.name, "computed": computed, "known": known}
        return StepResult(outcome, Message("features-done", facts))

    def table(self, found: StepInputs) -> StepResult:
        """All numbers of the images that can be read, side by side, for the steps that follow."""
        skipped = dict(pair for outcome in found.features for pair in outcome.skipped)
        readable = [sample for sample in self._samples if sample.key not in skipped]
        if not readable:
            raise NoneReadable(count=len(skipped), code=next(iter(skipped.values())))
        self._bench = self._new_bench(readable)
        known = tuple(SkippedImage(key, code) for key, code in sorted(skipped.items()))
        table = self._bench.table = replace(
            self._bench.table, skipped=(*known, *self._bench.table.skipped)
        )
        stored = StoredTable.store(table, self._keep, recipe_framing(self._recipe))
        outcome = TableOutcome(
            key=stored.key,
            images=len(table.samples),
            skipped=len(table.skipped),
            folds=len(self._bench.cross_validation.folds),
        )
        facts = {
            "images": outcome.images,
            "skipped": outcome.skipped,
            "folds": outcome.folds,
        }
        return StepResult(outcome, Message("table-done", facts))

    def tuning(self, arguments: TuningArguments, found: StepInputs) -> StepResult:
        """A network tuned without one fold's images, or on all of them."""
        tuning = self._laid(found).tuning(tuning_keys(self._recipe)[arguments.tuning])
        fold = arguments.fold
        if fold is None:
            tuning.tune_on_all()
            course = tuning.hyperparameters(None)
            outcome = TuningOutcome(
                rate=course.rate, decay=course.decay, epochs=course.epochs
            )
            return StepResult(outcome, Message("tuning-done"))
        if self._is_there(fold, found):
            tuning.tune_without_fold(fold)
        return StepResult(
            TuningOutcome(fold=fold), Message("tuning-done", {"fold": fold + 1})
        )

    def fold(self, arguments: FoldArguments, found: StepInputs) -> StepResult:
        """Every component's scores of one fold's images."""
        fold = arguments.fold
        outcome = FoldOutcome(fold=fold)
        if not self._is_there(fold, found):
            return StepResult(outcome, Message("fold-absent", {"fold": fold + 1}))
        self._laid(found).score_fold(fold, self._progress)
        return StepResult(outcome, Message("fold-done", {"fold": fold + 1}))

    def fit(self, arguments: FitArguments, found: StepInputs) -> StepResult:
        """One component, fitted on all images."""
        bench = self._laid(found)
        fit_component(bench, arguments.reading, self._fits)
        reader = self._recipe.label(*bench.components[arguments.reading])
        return StepResult(FitOutcome(), Message("fit-done", {"reader": reader}))

    def bundle(self, found: StepInputs) -> StepResult:
        """The model, saved, proven, and stored."""
        bench = self._laid(found)
        judged = bench.out_of_fold(bench.components, self._recipe.features, ignore_progress)
        model = assemble_model(bench, judged, ignore_progress, self._fits)
        metrics = dict(model.metrics)
        synthetic = self._material.synthetic
        bundle = evaluation.store(model, synthetic, self._objects)

        def store(session: SystemSession) -> None:
            known = (
                bundle.digest,
                self._recipe.name,
                self.run.recipe,
                self.run.id,
                synthetic,
                metrics,
            )
            session.models.store(*known, reference=reference_record(bundle), card=model_card(bundle))
            session.runs.record_model(self.run.id, bundle.digest, metrics)

        outcome = BundleOutcome(
            digest=bundle.digest,
            auc=metrics["auc"],
            auc_low=metrics["auc_low"],
            auc_high=metrics["auc_high"],
            sensitivity=metrics["sensitivity"],
            specificity=metrics["specificity"],
        )
        return StepResult(outcome, Message("bundle-done", {"auc": outcome.auc}), also=store)

    def evaluation(self, found: StepInputs) -> StepResult:
        """The new model on the locked test set, which nothing was learned from."""
        outcome = evaluation.evaluated(
            self._digest(found), self._tests(found.erased), self._proofs, self._progress
        )
        return StepResult(outcome, evaluation_message(outcome))

    def gate(self, found: StepInputs) -> StepResult:
        """The new model against the live one on the locked test set.

        Left out are images that the live one learned from, and those that were erased.
        """
        digest = self._digest(found)
        live = found.live
        tests = self._tests(found.learned | found.erased)
        judgement = evaluation.gated(digest, live, tests, self._proofs, self._progress)
        record = evaluation.recorded(
            digest, live, self.run.version_id, self.run.id, judgement
        )
        outcome = GateOutcome(
            verdict=judgement.verdict,
            against=live,
            left_out=len(self._material.tests) - len(tests),
        )
        return StepResult(outcome, evaluation.message(judgement), also=record)

    def _digest(self, found: StepInputs) -> str:
        return _made(found.bundle, StepKind.BUNDLE).digest

    def _tests(self, besides: frozenset[str]) -> list[LabelledImage]:
        return [
            image for image in self._material.tests if image.image_sha256 not in besides
        ]

    @cached_property
    def _samples(self) -> list[Sample]:
        return samples(
            list(self._material.images), self._objects, recipe_framing(self._recipe)
        )

    def _extractor(self, features: FeatureSet) -> Any:
        if features not in self._extractors:
            self._extractors[features] = build_extractor(
                features,
                self._recipe,
                self._weights,
                self.run.seed,
                self._progress,
                self._keep,
            )
        return self._extractors[features]

    def _laid(self, found: StepInputs) -> TrainingContext:
        """The workbench with the table that the step before made."""
        if self._bench is None:
            self._bench = self._new_bench(
                self._samples, StoredTable(_made(found.table, StepKind.TABLE).key)
            )
        return self._bench

    def _new_bench(
        self, learned: Sequence[Sample], table: StoredTable | None = None
    ) -> TrainingContext:
        made = (
            learned,
            self._recipe,
            self._weights,
            self._keep,
            self.run.seed,
            self._progress,
        )
        return TrainingContext(*made, table=table, extractors=self._extractors)

    def _is_there(self, fold: int, found: StepInputs) -> bool:
        return fold < _made(found.table, StepKind.TABLE).folds

    def _progress(
        self,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float],
    ) -> None:
        """To whoever listens to the step that is being done: what is shared outlives a step."""
        self._tell(stage, fraction, message, metrics)


def _made(outcome: Made | None, kind: StepKind) -> Made:
    """The outcome of a step that this one comes after."""
    if outcome is None:
        raise RuntimeError(f"a step was taken up before {kind} was done")
    return outcome


def evaluation_message(outcome: EvaluationOutcome) -> Message:
    """With the figures that there are: of too few images none can be given."""
    facts = {
        name: value for name, value in outcome.to_json().items() if value is not None
    }
    return Message("evaluation-done", facts)
