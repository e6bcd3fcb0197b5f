"""A recipe: what to extract, what to fit, how to fuse and decide. Data only, read strictly."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class ClassifierKind(StrEnum):
    SVM = "svm"
    FOREST = "forest"


class Kernel(StrEnum):
    LINEAR = "linear"
    RBF = "rbf"


class FusionRule(StrEnum):
    MEAN = "mean"
    """of the members' calibrated probabilities"""
    VOTE = "vote"
    """share of the members whose calibrated probability is above the training prevalence"""
    WEIGHTED = "weighted"
    """members' log-odds, weighted by what they were worth out of fold"""


class Cutoff(StrEnum):
    YOUDEN = "youden"


class Calibration(StrEnum):
    SIGMOID = "sigmoid"


class Tuning(StrEnum):
    NONE = "none"
    """as pre-trained"""
    PHANTOMS = "phantoms"
    """trained from scratch on drawn phantoms, so that no labelled image of the data set is seen"""


HANDCRAFTED = "handcrafted"


@dataclass(frozen=True)
class NetworkFeatures:
    """Features of a CNN at one or more taps.

    `flips` averages them over the image and its mirror image; `root` then takes signed square roots.
    """

    network: str
    taps: tuple[str, ...]
    tuning: Tuning = Tuning.NONE
    flips: bool = False
    root: bool = False
    label: str = ""
    """What readers of this set are called; the network's name where not given."""

    @property
    def name(self) -> str:
        return self.label or self.network

    @property
    def tap(self) -> str:
        return "+".join(self.taps)


@dataclass(frozen=True)
class HandcraftedFeatures:
    """Features by formula; the nodule is first scaled so that its longer side has `size_px`.

    Texture is measured on `levels` grey levels, of pixels `distance` apart.
    """

    families: tuple[str, ...]
    size_px: int = 224
    levels: int = 16
    distance: int = 1
    label: str = HANDCRAFTED

    @property
    def name(self) -> str:
        return self.label

    @property
    def network(self) -> str:
        return HANDCRAFTED

    @property
    def tap(self) -> str:
        return "+".join(self.families)


FeatureSet = NetworkFeatures | HandcraftedFeatures


@dataclass(frozen=True)
class Svm:
    """Soft-margin SVM; every combination of the lists is tried inside the training folds."""

    kernel: tuple[Kernel, ...]
    C: tuple[float, ...]
    gamma: tuple[float, ...] = (1.0,)
    """As multiples of 1 / number of features, the features being standardised."""
    balanced: bool = False
    kind: ClassifierKind = ClassifierKind.SVM


@dataclass(frozen=True)
class Forest:
    """Random forest."""

    trees: int
    min_leaf: tuple[int, ...] = (1,)
    balanced: bool = False
    kind: ClassifierKind = ClassifierKind.FOREST


Classifier = Svm | Forest


@dataclass(frozen=True)
class Roi:
    """`margin`: tissue kept around the nodule's box, as a fraction of its sides."""

    margin: float = 0.0


@dataclass(frozen=True)
class Fusion:
    """`members`: `label/kind` of each reader that takes part, or `all`."""

    members: tuple[str, ...] = ("all",)
    rule: FusionRule = FusionRule.MEAN


@dataclass(frozen=True)
class Decision:
    """`novelty_quantile`: images stranger than this share of the training images are referred."""

    cutoff: Cutoff = Cutoff.YOUDEN
    calibration: Calibration = Calibration.SIGMOID
    novelty_quantile: float = 0.99


@dataclass(frozen=True)
class Validation:
    """Outer folds for the reported figures, inner folds for the choice among a grid."""

    folds: int = 6
    inner_folds: int = 4


@dataclass(frozen=True)
class PhantomTraining:
    """SGD on drawn phantoms, for `tuning = "phantoms"`; the rate falls to nothing along half a cosine."""

    count: int
    epochs: int
    batch: int
    rate: float
    momentum: float = 0.9
    decay: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a model besides its data and the seed."""

    name: str
    version: str
    source: str
    features: tuple[FeatureSet, ...]
    classifiers: tuple[Classifier, ...]
    roi: Roi = Roi()
    fusion: Fusion = Fusion()
    decision: Decision = Decision()
    validation: Validation = Validation()
    phantoms: PhantomTraining | None = None

    def as_table(self) -> dict[str, Any]:
        """Plain tables and lists, as `read_recipe` takes them."""
        return {key: value for key, value in asdict(self).items() if value is not None}
