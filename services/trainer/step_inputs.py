"""What a step of a training run is given, and what it gives back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.trainer.step_graph import SecondsPerImage
from shared.domain.messages import Message
from shared.domain.training.steps import (
    BundleOutcome,
    FeaturesOutcome,
    StepOutcome,
    TableOutcome,
)
from shared.ledger import SystemSession
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.training.runs import TrainingRun
from shared.ledger.training.steps import NewStep
from shared.networks import WeightsFinder
from shared.objects import ObjectStore
from shared.recipes import Recipe
from shared.statistics.model_life.gate import GatePolicy


@dataclass(frozen=True)
class RunInputs:
    """The parts of a run in the ledger.

    `locked_test_hashes` are training images that are in a locked test set.
    """

    run: TrainingRun
    recipe: Recipe
    images: Sequence[LabelledImage]
    test_images: Sequence[LabelledImage]
    locked_test_hashes: frozenset[str]
    synthetic: bool
    seconds_per_image: SecondsPerImage


@dataclass(frozen=True)
class StepInputs:
    """The state of the ledger at the beginning of a step.

    Attributes
    ----------
    features : outcomes of the finished features steps
    table, bundle : None until their steps are done
    live_digest : the digest of the live model
    live_training_hashes : test images that the live model was trained on
    erased_hashes : images of any part whose cases were erased since the version was frozen
    """

    features: Sequence[FeaturesOutcome]
    table: TableOutcome | None
    bundle: BundleOutcome | None
    live_digest: str | None
    live_training_hashes: frozenset[str] = frozenset()
    erased_hashes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StepResult:
    """A step's outcome, its message, the steps that follow from it, and a write to the ledger.

    `write` runs in the transaction that ends the step.
    """

    outcome: StepOutcome
    message: Message
    new_steps: Sequence[NewStep] = ()
    write: Callable[[SystemSession], None] = field(default=lambda session: None)


@dataclass(frozen=True)
class TrainingTools:
    """The parts of a trainer that do not depend on the run."""

    objects: ObjectStore
    weights: WeightsFinder
    bundle_folder: Path
    policy: GatePolicy
