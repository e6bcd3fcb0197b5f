"""A recipe: what to extract, what to fit, how to fuse and decide. Data only, read strictly."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self


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


LEARNT = (Tuning.TRANSFER, Tuning.FINE_TUNE)
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
class Itself:
    """A tuned network as a classifier; it reads its own feature set only, and only where that is tuned."""

    reads: tuple[str, ...] = ALL
    kind: ClassifierKind = ClassifierKind.NETWORK


Classifier = Svm | Forest | Itself


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
    tuning: TuningPlan | None = None
    concatenations: tuple[tuple[str, ...], ...] = ()
    """Feature sets that are read side by side, by their names."""
    ensembles: tuple[Ensemble, ...] = ()
    study: Comparisons = Comparisons()

    def reading(self) -> tuple[tuple[tuple[int, ...], Classifier], ...]:
        """Feature sets, by number, and classifier of each reader there may be; those of one set first."""
        number = {features.name: place for place, features in enumerate(self.features)}
        alone = [((place,), c) for place in range(len(self.features)) for c in self.classifiers if self._fits(place, c)]
        together = [
            (tuple(number[name] for name in names), classifier)
            for names in self.concatenations
            for classifier in self.of_concatenation(names)
        ]
        return tuple(alone + together)

    def of_concatenation(self, names: Sequence[str]) -> tuple[Classifier, ...]:
        """What reads these feature sets side by side: the classifiers of the first of them."""
        return tuple(c for c in self.classifiers if not isinstance(c, Itself) and reads(c, names[0]))

    def label(self, sets: tuple[int, ...], classifier: Classifier) -> str:
        """What fusion calls a reader."""
        return f"{'+'.join(self.features[place].name for place in sets)}/{classifier.kind}"

    def members(self, named: tuple[str, ...]) -> tuple[tuple[tuple[int, ...], Classifier], ...]:
        """The readers of a fusion or ensemble."""
        return tuple(reader for reader in self.reading() if named == ALL or self.label(*reader) in named)

    def framed(self, outlined: float) -> Self:
        """The same recipe for a data set of which that share of images came with an ROI."""
        if self.roi.calipers is not Calipers.AUTO:
            return self
        return replace(self, roi=replace(self.roi, calipers=Calipers.ALWAYS if outlined >= 0.5 else Calipers.NEVER))

    def keeping(self, names: Collection[str]) -> Self:
        """The same recipe with these feature sets only; what is declared of others goes with them."""
        features = tuple(each for each in self.features if each.name in names)
        together = tuple(sets for sets in self.concatenations if set(sets) <= set(names))
        kept = [(each, tuple(name for name in each.reads if name in (*names, *ALL))) for each in self.classifiers]
        classifiers = tuple(replace(each, reads=left) for each, left in kept if left)
        rest = replace(
            self, features=features, classifiers=classifiers, concatenations=together, fusion=Fusion(), ensembles=()
        )
        known = {rest.label(*reading) for reading in rest.reading()}
        fusion, ensembles = self.fusion, [each for each in self.ensembles if set(each.members) <= known]
        if fusion.members != ALL:
            fusion = replace(fusion, members=tuple(name for name in fusion.members if name in known) or ALL)
        of_study = replace(self.study, concatenate=tuple(name for name in self.study.concatenate if name in names))
        return replace(rest, fusion=fusion, ensembles=tuple(ensembles), study=of_study)

    def _fits(self, place: int, classifier: Classifier) -> bool:
        features = self.features[place]
        tuned = getattr(features, "tuning", None) in LEARNT
        return reads(classifier, features.name) and (tuned or not isinstance(classifier, Itself))

    def as_table(self) -> dict[str, Any]:
        """Plain tables and lists, as `read_recipe` takes them."""
        return _without_gaps(asdict(self))


def reads(classifier: Classifier, name: str) -> bool:
    """Whether a classifier is for the feature set of that name."""
    return classifier.reads == ALL or name in classifier.reads


def _without_gaps(value: Any) -> Any:
    """TOML has no null, and a list that holds nothing is left out."""
    if isinstance(value, dict):
        return {key: _without_gaps(entry) for key, entry in value.items() if entry not in (None, ())}
    return tuple(map(_without_gaps, value)) if isinstance(value, tuple) else value
