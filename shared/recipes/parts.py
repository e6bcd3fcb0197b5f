"""The parts of a recipe, as data. The field names are the keys of the TOML file."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ClassifierKind(StrEnum):
    SVM = "svm"
    FOREST = "forest"
    NETWORK = "network"
    """the softmax of the tuned network itself"""


class Kernel(StrEnum):
    LINEAR = "linear"
    RBF = "rbf"


class FusionRule(StrEnum):
    MEAN = "mean"
    """mean of the members' calibrated probabilities"""
    VOTE = "vote"
    """share of the members whose calibrated probability is above the training prevalence"""
    WEIGHTED = "weighted"
    """members' log-odds, with weights that are learnt from out-of-fold scores"""


class Cutoff(StrEnum):
    YOUDEN = "youden"


class Calibration(StrEnum):
    SIGMOID = "sigmoid"


class Tuning(StrEnum):
    NONE = "none"
    """the pre-trained weights are used unchanged"""
    TRANSFER = "transfer"
    """a new last layer of two classes is trained, and nothing else"""
    FINE_TUNE = "fine-tune"
    """a new last layer, and all layers after `frozen` from their pre-trained weights, are trained
    """
    PHANTOMS = "phantoms"
    """trained from scratch on drawn phantoms, without any labelled image of the data set"""


SUPERVISED_TUNINGS = (Tuning.TRANSFER, Tuning.FINE_TUNE)
"""Tunings that use the labels of the data set. Every fold therefore needs a separate network."""
HANDCRAFTED = "handcrafted"


@dataclass(frozen=True)
class NetworkFeatures:
    """Features of a CNN at one or more taps.

    Attributes
    ----------
    frozen : this stage and all stages before it keep their pre-trained weights in fine-tuning; if
        empty, all stages are tuned
    flips : average the features over the image and its mirror image
    root : take signed square roots of the features, after the averaging
    label : name of this set in component labels; the network's name if empty
    """

    network: str
    taps: tuple[str, ...]
    tuning: Tuning = Tuning.NONE
    frozen: str = ""
    flips: bool = False
    root: bool = False
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.network

    @property
    def tap(self) -> str:
        return "+".join(self.taps)


@dataclass(frozen=True)
class HandcraftedFeatures:
    """Handcrafted features, computed by formula.

    Attributes
    ----------
    size_px : the nodule is first scaled so that its longer side has this length
    levels : number of grey levels for texture
    distance : distance in pixels for texture
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
    """Soft-margin SVM. The inner folds choose among all combinations of the lists.

    Attributes
    ----------
    gamma : in multiples of 1 / number of features; the features are standardised
    balanced : weight the classes inversely to their frequency
    equal_sets : whether the sets of a concatenation count alike; else every column does
    reads : names of the feature sets that the classifier is fitted on, or `all`; `a+b` is the
        concatenation of these sets
    """

    kernel: tuple[Kernel, ...]
    C: tuple[float, ...]
    gamma: tuple[float, ...] = (1.0,)
    balanced: bool = False
    equal_sets: bool = False
    reads: tuple[str, ...] = ALL
    kind: ClassifierKind = ClassifierKind.SVM


@dataclass(frozen=True)
class Forest:
    """Random forest. `reads` names the feature sets that it is fitted on, or `all`."""

    trees: int
    min_leaf: tuple[int, ...] = (1,)
    balanced: bool = False
    reads: tuple[str, ...] = ALL
    kind: ClassifierKind = ClassifierKind.FOREST


@dataclass(frozen=True)
class NetworkClassifier:
    """A tuned network as a classifier. It applies only to the network's own, tuned feature set."""

    reads: tuple[str, ...] = ALL
    kind: ClassifierKind = ClassifierKind.NETWORK


Classifier = Svm | Forest | NetworkClassifier


class ComponentSpec(NamedTuple):
    """One component of the ensemble, before it is fitted: a classifier on one or more feature sets.

    Attributes
    ----------
    feature_sets : indices of the feature sets, whose columns are concatenated in this order
    """

    feature_sets: tuple[int, ...]
    classifier: Classifier


class Calipers(StrEnum):
    """Whether caliper marks give the ROI of an image that has none."""

    AUTO = "auto"
    """if most training images have an ROI; measurements showed that mixing crops with whole images
    harms
    """
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class Roi:
    """`margin` is the tissue around the nodule's box, as a fraction of the box's sides."""

    margin: float = 0.0
    calipers: Calipers = Calipers.AUTO


class RoiKind(StrEnum):
    """How exactly a nodule is marked."""

    OUTLINE = "outline"
    BOX = "box"
    LOOSE_BOX = "loose-box"
    """a box whose sides are off by up to 30 % of its width or height"""
    NONE = "none"


@dataclass(frozen=True)
class OutlinePlan:
    """The outline network, and how it is trained: on the data set's outlines, or on phantoms.

    Attributes
    ----------
    encoder : the network whose pre-trained layers it is built on
    deepest : the encoder's last stage
    frozen : this stage and all stages before it keep their pre-trained weights; if empty, all
        stages and their batch norm are trained
    folds : networks for training: an image's outline comes from one that saw none of its patient
    phantoms : number of drawn phantoms that the network is trained on, whatever the data set; 0:
        it is trained on the data set's outlines
    input_px : side of the network's input around a box; a whole picture has 1.44 times as many
        pixels
    decoder : channels of the decoder from the finest scale on; deeper scales have as many as the
        last
    outlines : what the labellers' own outlines weigh in a fit of the classifiers
    boxes : what SERA's outlines from exact boxes of the nodules weigh
    loose_boxes : what SERA's outlines from boxes weigh whose sides are off by up to 30 %
        The rest to 1 is what images read without any ROI weigh.
    """

    encoder: str
    deepest: str
    frozen: str
    epochs: int = 14
    rate: float = 1e-3
    batch: int = 8
    folds: int = 4
    phantoms: int = 0
    input_px: int = 160
    decoder: tuple[int, ...] = (32, 64, 96)
    outlines: float = 0.5
    boxes: float = 0.2
    loose_boxes: float = 0.15

    @property
    def shares(self) -> Mapping[RoiKind, float]:
        """The share of each kind of ROI; they add up to 1."""
        with_roi = self.outlines + self.boxes + self.loose_boxes
        return {
            RoiKind.OUTLINE: self.outlines,
            RoiKind.BOX: self.boxes,
            RoiKind.LOOSE_BOX: self.loose_boxes,
            RoiKind.NONE: round(1 - with_roi, 6),
        }


@dataclass(frozen=True)
class Fusion:
    """How the components' probabilities become one score.

    `members` holds the label of each component that takes part, or `all`. A label has the form
    `label/kind`, and `label+label/kind` for a component on several feature sets.
    """

    members: tuple[str, ...] = ALL
    rule: FusionRule = FusionRule.MEAN


@dataclass(frozen=True)
class Ensemble:
    """A fusion that a study reports in addition to the recipe's own."""

    name: str
    members: tuple[str, ...]
    rule: FusionRule = FusionRule.MEAN


@dataclass(frozen=True)
class TuningPlan:
    """How networks are tuned: SGD on cross-entropy.

    Cross-validation chooses among all combinations of number of epochs, rate and decay.

    Attributes
    ----------
    epochs : maximum number of epochs
    decays : weight decay
    balance : add mirror images of the rarer class until both classes have the same size (K20)
    flips : mirror each image at random in each epoch
    average : weight of the previous value in the running average of the weights, at each step;
        0 takes the last weights
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
    """The comparisons of a study in addition to the recipe's own components.

    Attributes
    ----------
    concatenate : feature sets of which every combination of two to six is concatenated; if empty,
        all sets of the recipe are used if there are at most six
    features : further feature sets that are only compared
    """

    concatenate: tuple[str, ...] = ()
    features: tuple[FeatureSet, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Images with more novelty than the quantile `novelty_quantile` in training are referred."""

    cutoff: Cutoff = Cutoff.YOUDEN
    calibration: Calibration = Calibration.SIGMOID
    novelty_quantile: float = 0.99


@dataclass(frozen=True)
class Validation:
    """`folds` are the outer folds, for the reported metrics; `inner_folds` choose among a grid."""

    folds: int = 6
    inner_folds: int = 4


@dataclass(frozen=True)
class PhantomTraining:
    """SGD on drawn phantoms, for `tuning = "phantoms"`. The rate falls to 0 along half a cosine."""

    count: int
    epochs: int
    batch: int
    rate: float
    momentum: float = 0.9
    decay: float = 0.0
