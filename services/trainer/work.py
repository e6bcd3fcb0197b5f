"""The steps of a run. Each can be repeated: what it makes is kept under a key that names all that decides it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from services.trainer import proof
from services.trainer.plan import Pace, plan
from services.trainer.samples import samples
from services.trainer.stores import StoredFeatures, StoredFits
from shared.bundles.card import card
from shared.bundles.facts import reference
from shared.domain.messages import Message
from shared.domain.training import StepKind
from shared.errors import Conflict
from shared.learning import (
    Progress,
    Sample,
    Skipped,
    StoredTable,
    Workbench,
    assemble,
    build_extractor,
    check_classes,
    fit_reading,
    framing,
    precompute,
    silent,
    tuning_keys,
)
from shared.learning.errors import NoneReadable
from shared.ledger import SystemSession
from shared.ledger.labelled import LabelledImage
from shared.ledger.steps import ClaimedStep, NewStep
from shared.ledger.training import TrainingRun
from shared.ledger.versions import check_usable
from shared.networks import WeightsFinder
from shared.objects import ObjectStore
from shared.recipes import FeatureSet, Recipe
from shared.statistics.gate import GatePolicy


class TrainsOnTestImages(Conflict):
    code = "trains-on-test-images"
    text = (
        "{count} training images of this version are in a locked test set, {example} among them. Remove them from the "
        "dataset or move them to its test part, freeze it again and train on the new version."
    )


JUDGING = (StepKind.EVALUATION, StepKind.GATE)
"""Steps of a model that is there already: it is judged without test images that were erased."""


@dataclass(frozen=True)
class Material:
    """What a run is made of, as the ledger has it."""

    run: TrainingRun
    recipe: Recipe
    images: Sequence[LabelledImage]
    tests: Sequence[LabelledImage]
    locked: frozenset[str]
    synthetic: bool
    pace: Pace


@dataclass(frozen=True)
class Found:
    """What a step goes by: the outcomes of finished steps by kind, and the digest of the model that is live now.

    `learned` are the test images, by hash, that the live model was trained on, `erased` images of any part whose cases
    were erased since the version was frozen.
    """

    outcomes: Mapping[StepKind, Sequence[Mapping[str, Any]]]
    live: str | None
    learned: frozenset[str] = frozenset()
    erased: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Done:
    """What a step found, the steps that follow from it, and what else is to be written in the same transaction."""

    outcome: Mapping[str, Any]
    message: Message
    adding: Sequence[NewStep] = ()
    also: Callable[[SystemSession], None] = field(default=lambda session: None)


@dataclass(frozen=True)
class Tools:
    """What a trainer works with, whatever the run."""

    objects: ObjectStore
    weights: WeightsFinder
    shelf: Path
    policy: GatePolicy


class RunWork:
    """Does steps of one run in this process; what they share is made once."""

    def __init__(self, material: Material, tools: Tools) -> None:
        self.run, self._material = material.run, material
        self._recipe, self._objects, self._weights = material.recipe, tools.objects, tools.weights
        self._keep = StoredFeatures(tools.objects)
        self._fits = StoredFits(self._keep)
        self._proofs = proof.Bench(tools.objects, tools.shelf, self._keep, tools.policy)
        self._extractors: dict[FeatureSet, Any] = {}
        self._tell: Progress = silent
        self._bench: Workbench | None = None

    def close(self) -> None:
        if self._bench:
            self._bench.close()

    def do(self, step: ClaimedStep, found: Found, progress: Progress) -> Done:
        """Do one step; `found` is what the ledger says at this moment."""
        self._tell = progress
        if step.kind not in JUDGING:
            check_usable(found.erased)
        return STEPS[step.kind](self, step.subject, found)

    def plan(self, subject: Mapping[str, Any], found: Found) -> Done:
        """Check what can be checked without pixels, and lay out the steps."""
        material = self._material
        if material.locked:
            raise TrainsOnTestImages(count=len(material.locked), example=min(material.locked)[:12])
        check_classes(self._samples)
        steps = plan(self._recipe, len(material.images), len(material.tests), material.pace)
        return Done({"steps": len(steps)}, Message("plan-done", {"steps": len(steps)}), steps)

    def network(self, subject: Mapping[str, Any], found: Found) -> Done:
        features = self._recipe.features[subject["set"]]
        self._extractor(features)
        return Done({}, Message("network-done", {"features": features.name}))

    def features(self, subject: Mapping[str, Any], found: Found) -> Done:
        """One feature set of a part of the images; those known from before are not computed again."""
        features, part = (
            self._recipe.features[subject["set"]],
            self._samples[subject["from"] : subject["to"]],
        )
        extractors, cut = [self._extractor(features)], framing(self._recipe)
        computed, skipped = precompute(part, extractors, self._keep, cut, self._progress)
        facts = {
            "features": features.name,
            "computed": computed,
            "known": len(part) - computed - len(skipped),
        }
        outcome = {
            "computed": computed,
            "images": len(part),
            "skipped": [[each.key, each.code] for each in skipped],
        }
        return Done(outcome, Message("features-done", facts))

    def table(self, subject: Mapping[str, Any], found: Found) -> Done:
        """All numbers of the images that can be read, side by side, for the steps that follow."""
        skipped = dict(
            pair for outcome in found.outcomes[StepKind.FEATURES] for pair in outcome["skipped"]
        )
        readable = [sample for sample in self._samples if sample.key not in skipped]
        if not readable:
            raise NoneReadable(count=len(skipped), code=next(iter(skipped.values())))
        self._bench = self._new_bench(readable)
        known = tuple(Skipped(key, code) for key, code in sorted(skipped.items()))
        table = self._bench.table = replace(
            self._bench.table, skipped=(*known, *self._bench.table.skipped)
        )
        stored = StoredTable.store(table, self._keep, framing(self._recipe))
        facts = {
            "images": len(table.samples),
            "skipped": len(table.skipped),
            "folds": len(self._bench.trial.folds),
        }
        return Done(
            {"key": stored.key, **facts},
            Message("table-done", facts),
        )

    def tuning(self, subject: Mapping[str, Any], found: Found) -> Done:
        """A network tuned without one fold's images, or on all of them."""
        tuning = self._laid(found).tuning(tuning_keys(self._recipe)[subject["tuning"]])
        fold = subject["fold"]
        if fold is None:
            tuning.finish()
            return Done(vars(tuning.course(None)), Message("tuning-done"))
        if self._is_there(fold, found):
            tuning.follow(fold)
        return Done({"fold": fold}, Message("tuning-done", {"fold": fold + 1}))

    def fold(self, subject: Mapping[str, Any], found: Found) -> Done:
        """Every reader's scores of one fold's images."""
        fold = subject["fold"]
        if not self._is_there(fold, found):
            return Done({"fold": fold}, Message("fold-absent", {"fold": fold + 1}))
        self._laid(found).judge_fold(fold, self._progress)
        return Done({"fold": fold}, Message("fold-done", {"fold": fold + 1}))

    def fit(self, subject: Mapping[str, Any], found: Found) -> Done:
        """One reader, fitted on all images."""
        bench = self._laid(found)
        fit_reading(bench, subject["reading"], self._fits)
        reader = self._recipe.label(*bench.readings[subject["reading"]])
        return Done({}, Message("fit-done", {"reader": reader}))

    def bundle(self, subject: Mapping[str, Any], found: Found) -> Done:
        """The model, saved, proven, and stored."""
        bench = self._laid(found)
        judged = bench.out_of_fold(bench.readings, self._recipe.features, silent)
        model = assemble(bench, judged, silent, self._fits)
        metrics, synthetic = dict(model.metrics), self._material.synthetic
        bundle = proof.store(model, synthetic, self._objects)

        def store(session: SystemSession) -> None:
            known = (
                bundle.digest,
                self._recipe.name,
                self.run.recipe,
                self.run.id,
                synthetic,
                metrics,
            )
            session.models.store(*known, reference=reference(bundle), card=card(bundle))
            session.runs.produced(self.run.id, bundle.digest, metrics)

        figures = {
            name: metrics[name]
            for name in ("auc", "auc_low", "auc_high", "sensitivity", "specificity")
        }
        return Done(
            {"digest": bundle.digest, **figures},
            Message("bundle-done", {"auc": metrics["auc"]}),
            also=store,
        )

    def evaluation(self, subject: Mapping[str, Any], found: Found) -> Done:
        """The new model on the locked test set, which nothing was learned from."""
        figures = proof.evaluated(
            self._digest(found), self._tests(found.erased), self._proofs, self._progress
        )
        return Done(figures, Message("evaluation-done", figures))

    def gate(self, subject: Mapping[str, Any], found: Found) -> Done:
        """The new model against the live one on the locked test set.

        Left out are images that the live one learned from, and those that were erased.
        """
        digest, live = self._digest(found), found.live
        tests = self._tests(found.learned | found.erased)
        judgement = proof.gated(digest, live, tests, self._proofs, self._progress)
        record = proof.recorded(digest, live, self.run.version_id, self.run.id, judgement)
        outcome = {
            "verdict": judgement.verdict,
            "against": live,
            "left_out": len(self._material.tests) - len(tests),
        }
        return Done(outcome, proof.message(judgement), also=record)

    def _digest(self, found: Found) -> str:
        return found.outcomes[StepKind.BUNDLE][0]["digest"]

    def _tests(self, besides: frozenset[str]) -> list[LabelledImage]:
        return [image for image in self._material.tests if image.image_sha256 not in besides]

    @cached_property
    def _samples(self) -> list[Sample]:
        return samples(list(self._material.images), self._objects, framing(self._recipe))

    def _extractor(self, features: FeatureSet) -> Any:
        if features not in self._extractors:
            self._extractors[features] = build_extractor(
                features, self._recipe, self._weights, self.run.seed, self._progress, self._keep
            )
        return self._extractors[features]

    def _laid(self, found: Found) -> Workbench:
        """The workbench with the table that the step before made."""
        if self._bench is None:
            self._bench = self._new_bench(
                self._samples, StoredTable(found.outcomes[StepKind.TABLE][0]["key"])
            )
        return self._bench

    def _new_bench(self, learned: Sequence[Sample], table: StoredTable | None = None) -> Workbench:
        made = (learned, self._recipe, self._weights, self._keep, self.run.seed, self._progress)
        return Workbench(*made, table=table, extractors=self._extractors)

    def _is_there(self, fold: int, found: Found) -> bool:
        return fold < found.outcomes[StepKind.TABLE][0]["folds"]

    def _progress(
        self, stage: str, fraction: float, message: Message, metrics: Mapping[str, float]
    ) -> None:
        """To whoever listens to the step that is being done: what is shared outlives a step."""
        self._tell(stage, fraction, message, metrics)


STEPS: dict[StepKind, Callable[[RunWork, Mapping[str, Any], Found], Done]] = {
    StepKind.PLAN: RunWork.plan,
    StepKind.NETWORK: RunWork.network,
    StepKind.FEATURES: RunWork.features,
    StepKind.TABLE: RunWork.table,
    StepKind.TUNING: RunWork.tuning,
    StepKind.FOLD: RunWork.fold,
    StepKind.FIT: RunWork.fit,
    StepKind.BUNDLE: RunWork.bundle,
    StepKind.EVALUATION: RunWork.evaluation,
    StepKind.GATE: RunWork.gate,
}
