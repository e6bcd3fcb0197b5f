"""The steps of a training run.

Each step can be repeated: its output is cached under a key of everything that determines it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from services.trainer import evaluation
from services.trainer.samples import make_samples
from services.trainer.step_graph import plan_steps
from services.trainer.step_inputs import (
    RunInputs,
    StepInputs,
    StepResult,
    TrainingTools,
)
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
    OutlineArguments,
    OutlineOutcome,
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
    ignore_progress,
    precompute_features,
    tuning_keys,
)
from shared.learning.errors import NoReadableImages
from shared.learning.features.extractors import Extractor, NetworkExtractor
from shared.learning.features.frames import FrameExtractor, frame_feature_set
from shared.learning.outlining import OutlineNetworks
from shared.learning.recipe_nodules import outline_networks, training_nodules
from shared.learning.samples.nodules import NoduleReader
from shared.learning.tuning.keys import without_tuning
from shared.ledger import SystemSession
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.datasets.versions import check_usable
from shared.ledger.training.steps import ClaimedStep
from shared.recipes import FeatureSet
from shared.statistics.model_life.left_out_sites import LeftOutSites
from shared.study.leaving_sites_out import leave_sites_out, site_evidence


class TrainsOnTestImages(Conflict):
    code = "trains-on-test-images"
    text = (
        "{count} training images of this version are in a locked test set, {example} among them. "
        "Remove them from the dataset or move them to its test part, freeze it again and train on "
        "the new version."
    )


Outcome = TypeVar("Outcome", bound=StepOutcome)

JUDGING_STEPS = (StepKind.EVALUATION, StepKind.GATE)
"""Steps that judge an existing model. They exclude erased test images."""


class StepRunner:
    """Runs steps of one run in this process. Expensive parts are shared between the steps."""

    def __init__(self, inputs: RunInputs, tools: TrainingTools) -> None:
        self.run = inputs.run
        self._inputs = inputs
        self._recipe = inputs.recipe
        self._objects = tools.objects
        self._weights = tools.weights
        self._feature_cache = StoredFeatures(tools.objects)
        self._classifier_cache = StoredFits(self._feature_cache)
        self._evaluation_context = evaluation.EvaluationContext(
            objects=tools.objects,
            bundle_folder=tools.bundle_folder,
            feature_cache=self._feature_cache,
            policy=tools.policy,
        )
        self._extractors: dict[FeatureSet, Extractor] = {}
        self._report: ProgressCallback = ignore_progress
        self._context: TrainingContext | None = None

    def close(self) -> None:
        if self._context:
            self._context.close()

    def run_step(
        self, step: ClaimedStep, inputs: StepInputs, progress: ProgressCallback
    ) -> StepResult:
        """Run one step on the current state of the ledger."""
        self._report = progress
        if step.kind not in JUDGING_STEPS:
            check_usable(inputs.erased_hashes)
        arguments = arguments_from_json(step.kind, step.subject)
        match arguments:
            case NetworkArguments():
                return self._network(arguments)
            case OutlineArguments():
                return self._outline(arguments)
            case FeaturesArguments():
                return self._features(arguments)
            case TableArguments():
                return self._table(inputs)
            case TuningArguments():
                return self._tuning(arguments, inputs)
            case FoldArguments():
                return self._fold(arguments, inputs)
            case FitArguments():
                return self._fit(arguments, inputs)
            case BundleArguments():
                return self._bundle(inputs)
            case EvaluationArguments():
                return self._evaluation(inputs)
            case GateArguments():
                return self._gate(inputs)
            case PlanArguments():
                return self._plan()
        raise TypeError(f"no step takes {type(arguments).__name__}")

    def _plan(self) -> StepResult:
        """Check everything that can be checked without pixels, and plan the steps."""
        inputs = self._inputs
        locked = inputs.locked_test_hashes
        if locked:
            raise TrainsOnTestImages(count=len(locked), example=min(locked)[:12])
        check_both_classes(self._samples)
        steps = plan_steps(
            self._recipe,
            images=len(inputs.images),
            test_images=len(inputs.test_images),
            seconds_per_image=inputs.seconds_per_image,
        )
        return StepResult(
            outcome=PlanOutcome(steps=len(steps)),
            message=Message("plan-done", {"steps": len(steps)}),
            new_steps=steps,
        )

    def _network(self, arguments: NetworkArguments) -> StepResult:
        features = self._recipe.features[arguments.feature_set]
        self._extractor(features)
        message = Message("network-done", {"features": features.name})
        return StepResult(outcome=NetworkOutcome(), message=message)

    def _outline(self, arguments: OutlineArguments) -> StepResult:
        """Train an outline network without one fold's patients, or on all images."""
        fold = arguments.fold
        if self._outlines is None:
            raise RuntimeError("a step trains outlines that the recipe does not have")
        self._outlines.outliner(fold)
        facts = {} if fold is None else {"fold": fold + 1}
        message = Message("outline-done", facts)
        return StepResult(outcome=OutlineOutcome(fold=fold), message=message)

    def _features(self, arguments: FeaturesArguments) -> StepResult:
        """Compute one feature set for a part of the images. Cached vectors are not computed
        again.
        """
        features = self._recipe.features[arguments.feature_set]
        samples = self._samples[arguments.start : arguments.end]
        extractors = self._extractors_of(arguments.feature_set)
        computed, skipped = precompute_features(
            samples,
            extractors,
            self._feature_cache,
            self._nodules,
            self._report_progress,
        )
        if not tuning_keys(self._recipe):
            for view in self._nodules.training_views(len(self._samples)):
                precompute_features(
                    samples,
                    extractors[:1],
                    self._feature_cache,
                    view.nodules,
                    self._report_progress,
                )
        outcome = FeaturesOutcome(
            computed=computed,
            images=len(samples),
            skipped=tuple((image.key, image.code) for image in skipped),
        )
        facts = {
            "features": features.name,
            "computed": computed,
            "known": len(samples) - computed - len(skipped),
        }
        return StepResult(outcome=outcome, message=Message("features-done", facts))

    def _table(self, inputs: StepInputs) -> StepResult:
        """Collect all features of the readable images in one table, for the following steps."""
        code_by_key: dict[str, str] = {}
        for features in inputs.features:
            code_by_key.update(features.skipped)
        readable = [sample for sample in self._samples if sample.key not in code_by_key]
        if not readable:
            first_code = next(iter(code_by_key.values()))
            raise NoReadableImages(count=len(code_by_key), code=first_code)
        context = self._new_context(readable)
        self._context = context
        skipped = [SkippedImage(key, code) for key, code in sorted(code_by_key.items())]
        context.table = replace(
            context.table, skipped=(*skipped, *context.table.skipped)
        )
        stored = StoredTable.store(context.table, self._feature_cache, self._nodules)
        outcome = TableOutcome(
            key=stored.key,
            images=len(context.table.samples),
            skipped=len(context.table.skipped),
            folds=len(context.cross_validation.folds),
        )
        facts = {
            "images": outcome.images,
            "skipped": outcome.skipped,
            "folds": outcome.folds,
        }
        return StepResult(outcome=outcome, message=Message("table-done", facts))

    def _tuning(self, arguments: TuningArguments, inputs: StepInputs) -> StepResult:
        """Tune a network without one fold's images, or on all images."""
        key = tuning_keys(self._recipe)[arguments.tuning]
        tuning = self._training_context(inputs).tuning(key)
        fold = arguments.fold
        if fold is None:
            tuning.tune_on_all()
            best = tuning.hyperparameters(None)
            outcome = TuningOutcome(
                rate=best.rate, decay=best.decay, epochs=best.epochs
            )
            return StepResult(outcome=outcome, message=Message("tuning-done"))
        if _has_fold(inputs, fold):
            tuning.tune_without_fold(fold)
        message = Message("tuning-done", {"fold": fold + 1})
        return StepResult(outcome=TuningOutcome(fold=fold), message=message)

    def _fold(self, arguments: FoldArguments, inputs: StepInputs) -> StepResult:
        """Compute the scores of one fold's images by every component."""
        fold = arguments.fold
        code = "fold-absent"
        if _has_fold(inputs, fold):
            context = self._training_context(inputs)
            context.score_fold(fold, self._report_progress)
            code = "fold-done"
        message = Message(code, {"fold": fold + 1})
        return StepResult(outcome=FoldOutcome(fold=fold), message=message)

    def _fit(self, arguments: FitArguments, inputs: StepInputs) -> StepResult:
        """Fit one component on all images."""
        context = self._training_context(inputs)
        fit_component(context, arguments.reading, self._classifier_cache)
        label = self._recipe.label(context.components[arguments.reading])
        message = Message("fit-done", {"reader": label})
        return StepResult(outcome=FitOutcome(), message=message)

    def _bundle(self, inputs: StepInputs) -> StepResult:
        """Assemble the model, save and verify it, and store its bundle."""
        context = self._training_context(inputs)
        out_of_fold_scores = context.score_out_of_fold(
            context.components, self._recipe.features, ignore_progress
        )
        model = assemble_model(
            context,
            out_of_fold_scores,
            ignore_progress,
            self._classifier_cache,
            left_out_sites=self._left_out_sites(context),
        )
        metrics = dict(model.metrics)
        synthetic = self._inputs.synthetic
        bundle = evaluation.store_bundle(model, synthetic, self._objects)

        def store(session: SystemSession) -> None:
            session.models.store(
                digest=bundle.digest,
                name=self._recipe.name,
                recipe=self.run.recipe,
                run_id=self.run.id,
                synthetic=synthetic,
                metrics=metrics,
                reference=reference_record(bundle),
                card=model_card(bundle),
            )
            session.runs.record_model(self.run.id, bundle.digest, metrics)

        outcome = BundleOutcome(
            digest=bundle.digest,
            auc=metrics["auc"],
            auc_low=metrics["auc_low"],
            auc_high=metrics["auc_high"],
            sensitivity=metrics["sensitivity"],
            specificity=metrics["specificity"],
        )
        message = Message("bundle-done", {"auc": outcome.auc})
        return StepResult(outcome=outcome, message=message, write=store)

    def _left_out_sites(self, context: TrainingContext) -> LeftOutSites | None:
        """Judge each site by fits on the others; None with fewer than two sites.

        Not for a recipe that tunes networks: each site would need them tuned anew.
        """
        if tuning_keys(self._recipe):
            return None
        sites_out = leave_sites_out(context, self._weights, self._report_progress)
        return site_evidence(context, sites_out)

    def _evaluation(self, inputs: StepInputs) -> StepResult:
        """Evaluate the new model on the locked test set, which was not used for training."""
        outcome = evaluation.evaluate(
            digest=_bundle_digest(inputs),
            test_images=self._test_images_without(inputs.erased_hashes),
            context=self._evaluation_context,
            progress=self._report_progress,
        )
        return StepResult(outcome=outcome, message=evaluation_message(outcome))

    def _gate(self, inputs: StepInputs) -> StepResult:
        """Compare the new model with the live one on the locked test set.

        Images on which the live model was trained and erased images are excluded.
        """
        digest = _bundle_digest(inputs)
        left_out = inputs.live_training_hashes | inputs.erased_hashes
        test_images = self._test_images_without(left_out)
        judgement = evaluation.compare_with_live(
            digest=digest,
            live_digest=inputs.live_digest,
            test_images=test_images,
            context=self._evaluation_context,
            progress=self._report_progress,
        )
        record = evaluation.gate_record(
            digest=digest,
            live_digest=inputs.live_digest,
            version_id=self.run.version_id,
            run_id=self.run.id,
            judgement=judgement,
        )
        outcome = GateOutcome(
            verdict=judgement.verdict,
            against=inputs.live_digest,
            left_out=len(self._inputs.test_images) - len(test_images),
        )
        message = evaluation.verdict_message(judgement)
        return StepResult(outcome=outcome, message=message, write=record)

    def _test_images_without(self, hashes: frozenset[str]) -> list[LabelledImage]:
        return [
            image
            for image in self._inputs.test_images
            if image.image_sha256 not in hashes
        ]

    @cached_property
    def _samples(self) -> list[Sample]:
        return make_samples(list(self._inputs.images), self._objects)

    @cached_property
    def _nodules(self) -> NoduleReader:
        return training_nodules(self._recipe, self._outlines)

    @cached_property
    def _outlines(self) -> OutlineNetworks | None:
        return outline_networks(
            self._samples,
            recipe=self._recipe,
            weights=self._weights,
            cache=self._feature_cache,
            seed=self.run.seed,
            progress=self._report_progress,
        )

    def _extractor(self, features: FeatureSet) -> Extractor:
        if features not in self._extractors:
            self._extractors[features] = build_extractor(
                features,
                recipe=self._recipe,
                weights=self._weights,
                seed=self.run.seed,
                progress=self._report_progress,
                cache=self._feature_cache,
            )
        return self._extractors[features]

    def _extractors_of(self, feature_set: int) -> list[Extractor]:
        """Return the extractor of a feature set, and that of whole pictures if it uses the network.

        Pictures that a tuned network describes wait until it is tuned.
        """
        features = self._recipe.features[feature_set]
        extractor = self._extractor(features)
        is_frames = feature_set == frame_feature_set(self._recipe)
        if not is_frames or without_tuning(features) != features:
            return [extractor]
        assert isinstance(extractor, NetworkExtractor)
        return [extractor, FrameExtractor(extractor)]

    def _training_context(self, inputs: StepInputs) -> TrainingContext:
        """The context with the table that the table step made."""
        if self._context is None:
            table = _finished(inputs.table, StepKind.TABLE)
            self._context = self._new_context(self._samples, StoredTable(table.key))
        return self._context

    def _new_context(
        self, samples: Sequence[Sample], table: StoredTable | None = None
    ) -> TrainingContext:
        return TrainingContext(
            samples=samples,
            recipe=self._recipe,
            weights=self._weights,
            cache=self._feature_cache,
            seed=self.run.seed,
            progress=self._report_progress,
            table=table,
            extractors=self._extractors,
            outlines=self._outlines,
        )

    def _report_progress(
        self,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float],
    ) -> None:
        """Report to the callback of the current step, because shared parts live longer than the
        step that created them.
        """
        self._report(stage, fraction, message, metrics)


def _bundle_digest(inputs: StepInputs) -> str:
    return _finished(inputs.bundle, StepKind.BUNDLE).digest


def _has_fold(inputs: StepInputs, fold: int) -> bool:
    """Return whether the data had enough images for this fold."""
    return fold < _finished(inputs.table, StepKind.TABLE).folds


def _finished(outcome: Outcome | None, kind: StepKind) -> Outcome:
    """Return the outcome of a prerequisite step."""
    if outcome is None:
        raise RuntimeError(f"a step was taken up before {kind} was done")
    return outcome


def evaluation_message(outcome: EvaluationOutcome) -> Message:
    """Return the message with the available figures. There are none if there are too few images."""
    facts = {
        name: value for name, value in outcome.to_json().items() if value is not None
    }
    return Message("evaluation-done", facts)
