"""What a recipe is made of. Data only, read strictly."""

from dataclasses import dataclass
from enum import StrEnum


class ClassifierKind(StrEnum):
    SVM = "svm"
    FOREST = "forest"
    NETWORK = "network"
    """the tuned network itself: its softmax"""


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
    TRANSFER = "transfer"
    """a new last layer of two classes, and only it is trained"""
    FINE_TUNE = "fine-tune"
    """a new last layer, and all layers behind `frozen` are trained on from the pre-trained weights"""
    PHANTOMS = "phantoms"
    """trained from scratch on drawn phantoms, so that no labelled image of the data set is seen"""


SUPERVISED_TUNINGS = (Tuning.TRANSFER, Tuning.FINE_TUNE)
"""Tunings that see the labels of the data set, so that every fold needs a network of its own."""
HANDCRAFTED = "handcrafted"


@dataclass(frozen=True)
class NetworkFeatures:
    """Features of a CNN at one or more taps.

    `frozen` is the last stage that fine-tuning leaves as it was pre-trained, all before it included; without one, all
    are tuned. `flips` averages features over the image and its mirror image; `root` then takes signed square roots.
    """

    network: str
    taps: tuple[str, ...]
    tuning: Tuning = Tuning.NONE
    frozen: str = ""
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


ALL = ("all",)


@dataclass(frozen=True)
class Svm:
    """Soft-margin SVM; every combination of the lists is tried inside the training folds.

    `reads` names the feature sets it is for, or `all`.
    """

    kernel: tuple[Kernel, ...]
    C: tuple[float, ...]
    gamma: tuple[float, ...] = (1.0,)
    """As multiples of 1 / number of features, the features being standardised."""
    balanced: bool = False
    reads: tuple[str, ...] = ALL
    kind: ClassifierKind = ClassifierKind.SVM


@dataclass(frozen=True)
class Forest:
    """Random forest; `reads` names the feature sets it is for, or `all`."""

    trees: int
    min_leaf: tuple[int, ...] = (1,)
    balanced: bool = False
    reads: tuple[str, ...] = ALL
    kind: ClassifierKind = ClassifierKind.FOREST


@dataclass(frozen=True)
class NetworkClassifier:
    """A tuned network as a classifier; it reads its own feature set only, and only where that is tuned."""

    reads: tuple[str, ...] = ALL
    kind: ClassifierKind = ClassifierKind.NETWORK


Classifier = Svm | Forest | NetworkClassifier


class Calipers(StrEnum):
    """Whether the ROI that caliper marks enclose is taken for an image that came without one."""

    AUTO = "auto"
    """if most images of the training set came with an ROI; mixing crops with whole images was measured to harm"""
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class Roi:
    """`margin`: tissue kept around the nodule's box, as a fraction of its sides."""

    margin: float = 0.0
    calipers: Calipers = Calipers.AUTO


@dataclass(frozen=True)
class Fusion:
    """`members`: `label/kind` of each reader that takes part, or `all`.

    A reader of several feature sets is `label+label/kind`.
    """

    members: tuple[str, ...] = ALL
    rule: FusionRule = FusionRule.MEAN


@dataclass(frozen=True)
class Ensemble:
    """A fusion that a study reports beside the recipe's own."""

    name: str
    members: tuple[str, ...]
    rule: FusionRule = FusionRule.MEAN


@dataclass(frozen=True)
class TuningPlan:
    """How networks are tuned: SGD on cross-entropy; of every `epochs`, `rates` and `decays` cross-validation chooses.

    Attributes
    ----------
    epochs : at most
    decays : weight decay
    balance : mirror images of the rarer class are added until both classes are equally many (K20)
    flips : each image is mirrored at random each time it is shown
    average : share of the old in the running average of the weights, step by step; 0 takes the last weights
    """

    epochs: int
    rates: tuple[float, ...]
    decays: tuple[float, ...] = (0.0,)
    momentum: float = 0.9
    batch: int = 33
    balance: bool = True
    flips: bool = True
    average: float = 0.0


@dataclass(frozen=True)
class Comparisons:
    """What a study looks at besides the recipe's own readers.

    `concatenate` names the feature sets of which every two to six are put side by side; without it all, if there are
    no more than six. `features` are further sets that are only compared.
    """

    concatenate: tuple[str, ...] = ()
    features: tuple[FeatureSet, ...] = ()


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
