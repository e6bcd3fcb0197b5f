"""Arguments and outcomes of the steps of a training run: one type for each kind, stored as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from shared.domain.json_values import plain_fields
from shared.domain.models import GateVerdict
from shared.domain.training.states import StepKind


@dataclass(frozen=True, kw_only=True)
class StepArguments:
    """Arguments of a step; its expected duration follows from `images`, its number of images."""

    kind: ClassVar[StepKind]
    images: int = 0

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self)


class PlanArguments(StepArguments):
    kind = StepKind.PLAN


@dataclass(frozen=True, kw_only=True)
class NetworkArguments(StepArguments):
    """`feature_set` is the index of the set among the recipe's features, from 0."""

    kind = StepKind.NETWORK

    feature_set: int


@dataclass(frozen=True, kw_only=True)
class OutlineArguments(StepArguments):
    """Without `fold` the outline network is trained on all images."""

    kind = StepKind.OUTLINE

    fold: int | None


@dataclass(frozen=True, kw_only=True)
class FeaturesArguments(StepArguments):
    """One feature set of the images from `start` to before `end`."""

    kind = StepKind.FEATURES

    feature_set: int
    start: int
    end: int


class TableArguments(StepArguments):
    kind = StepKind.TABLE


@dataclass(frozen=True, kw_only=True)
class TuningArguments(StepArguments):
    """`tuning` is the index of the network among those to tune.

    Without `fold` it is tuned on all images.
    """

    kind = StepKind.TUNING

    tuning: int
    fold: int | None


@dataclass(frozen=True, kw_only=True)
class FoldArguments(StepArguments):
    kind = StepKind.FOLD
    fold: int


@dataclass(frozen=True, kw_only=True)
class FitArguments(StepArguments):
    """`reading` is the index of a model component among the members of the fusion."""

    kind = StepKind.FIT

    reading: int


class BundleArguments(StepArguments):
    kind = StepKind.BUNDLE


class EvaluationArguments(StepArguments):
    kind = StepKind.EVALUATION


class GateArguments(StepArguments):
    kind = StepKind.GATE


ARGUMENTS: Mapping[StepKind, type[StepArguments]] = {
    arguments.kind: arguments
    for arguments in (
        PlanArguments,
        NetworkArguments,
        OutlineArguments,
        FeaturesArguments,
        TableArguments,
        TuningArguments,
        FoldArguments,
        FitArguments,
        BundleArguments,
        EvaluationArguments,
        GateArguments,
    )
}


def arguments_from_json(kind: StepKind, body: Mapping[str, Any]) -> StepArguments:
    """Restore the arguments of a step from the values that their `to_json` returned."""
    return ARGUMENTS[kind](**body)


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """The outcome of a finished step."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the values that `to_json` returned."""
        return cls(**body)

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self)


@dataclass(frozen=True, kw_only=True)
class PlanOutcome(StepOutcome):
    """The outcome of the planning step."""

    steps: int
    """Steps that were planned."""


@dataclass(frozen=True, kw_only=True)
class NetworkOutcome(StepOutcome):
    """A network was trained on phantoms; it has no figures."""


@dataclass(frozen=True, kw_only=True)
class FeaturesOutcome(StepOutcome):
    """The computed features of one feature set."""

    computed: int
    """Images whose features were computed; the features of the other images were stored already."""
    images: int
    """Images that the step had to process."""
    skipped: tuple[tuple[str, str], ...]
    """Images that cannot be read: the key of each, and the code of the reason."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the values that `to_json` returned."""
        skipped = tuple((key, code) for key, code in body["skipped"])
        return cls(computed=body["computed"], images=body["images"], skipped=skipped)


@dataclass(frozen=True, kw_only=True)
class TableOutcome(StepOutcome):
    """The table of all features that the later steps learn from."""

    key: str
    """The key of the table in the object store."""
    images: int
    """Images in the table."""
    skipped: int
    """Images that cannot be read."""
    folds: int
    """Folds of the cross-validation: fewer than the recipe's if there are too few patients."""


@dataclass(frozen=True, kw_only=True)
class OutlineOutcome(StepOutcome):
    """An outline network, trained without the patients of one fold or on all images."""

    fold: int | None = None
    """The fold that was left out, from 0; null for the network trained on all images."""


@dataclass(frozen=True, kw_only=True)
class TuningOutcome(StepOutcome):
    """A network tuned without the images of one fold, or on all images with the best settings."""

    fold: int | None = None
    """The fold that was left out, from 0; null for the network tuned on all images."""
    rate: float | None = None
    """Learning rate of the network tuned on all images; else null."""
    decay: float | None = None
    """Weight decay of the network tuned on all images; else null."""
    epochs: int | None = None
    """Epochs of the network tuned on all images; else null."""


@dataclass(frozen=True, kw_only=True)
class FoldOutcome(StepOutcome):
    """A fold's images were scored by classifiers that were fitted on the other folds."""

    fold: int
    """The fold, from 0."""


@dataclass(frozen=True, kw_only=True)
class FitOutcome(StepOutcome):
    """A classifier was fitted on all images; it has no figures."""


@dataclass(frozen=True, kw_only=True)
class BundleOutcome(StepOutcome):
    """The stored model, with its cross-validated figures."""

    digest: str
    """SHA-256 of the bundle's manifest, in hex."""
    auc: float
    """Area under the ROC curve, 0 to 1, of scores out of fold."""
    auc_low: float
    """Lower end of its 95 % interval."""
    auc_high: float
    """Upper end of its 95 % interval."""
    sensitivity: float
    """Share of malignant images called malignant, 0 to 1, at Youden's cut-off."""
    specificity: float
    """Share of benign images called benign, 0 to 1, at Youden's cut-off."""


@dataclass(frozen=True, kw_only=True)
class EvaluationOutcome(StepOutcome):
    """The model's figures on the locked test set."""

    images: int
    """Images of the locked test set."""
    auc: float | None = None
    """Area under the ROC curve, 0 to 1; null if there are too few images."""
    sensitivity: float | None = None
    """Share of malignant images called malignant, 0 to 1; null if there are too few images."""


@dataclass(frozen=True, kw_only=True)
class GateOutcome(StepOutcome):
    """Whether the gate lets the model pass."""

    verdict: GateVerdict
    """`passed`, `failed` or `not-judged`."""
    against: str | None
    """Digest of the live model with which it was compared; null if no model was live."""
    left_out: int
    """Test images that were excluded: the live model was trained on them, or they were erased."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the values that `to_json` returned."""
        return cls(
            verdict=GateVerdict(body["verdict"]),
            against=body["against"],
            left_out=body["left_out"],
        )


AnyOutcome = (
    PlanOutcome
    | NetworkOutcome
    | OutlineOutcome
    | FeaturesOutcome
    | TableOutcome
    | TuningOutcome
    | FoldOutcome
    | FitOutcome
    | BundleOutcome
    | EvaluationOutcome
    | GateOutcome
)


OUTCOMES: Mapping[StepKind, type[AnyOutcome]] = {
    StepKind.PLAN: PlanOutcome,
    StepKind.NETWORK: NetworkOutcome,
    StepKind.OUTLINE: OutlineOutcome,
    StepKind.FEATURES: FeaturesOutcome,
    StepKind.TABLE: TableOutcome,
    StepKind.TUNING: TuningOutcome,
    StepKind.FOLD: FoldOutcome,
    StepKind.FIT: FitOutcome,
    StepKind.BUNDLE: BundleOutcome,
    StepKind.EVALUATION: EvaluationOutcome,
    StepKind.GATE: GateOutcome,
}


def outcome_from_json(kind: StepKind, body: Mapping[str, Any]) -> AnyOutcome:
    """Restore the outcome of a step from the values that its `to_json` returned."""
    return OUTCOMES[kind].from_json(body)
