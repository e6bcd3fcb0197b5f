"""Outlines for training: each image's outline comes from a network that saw none of its patient.

A network of phantoms saw no patient at all.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import safetensors.torch
import torch

from shared.domain.messages import Message
from shared.errors import SeraError
from shared.imaging.image import Nodule
from shared.imaging.regions.crop import Framing, crop
from shared.learning.features.cache import FeatureCache
from shared.learning.progress import ProgressCallback
from shared.learning.samples.nodules import TrainingView
from shared.learning.samples.phantoms import phantom_samples
from shared.learning.samples.presented import present_roi, sample_random
from shared.learning.samples.sample import Picture, Sample
from shared.networks import WeightsFinder, get_network
from shared.outlines import (
    NetworkOutliner,
    OutlineExample,
    OutlineNetwork,
    pack_network,
    train_outline_network,
)
from shared.recipes import OutlinePlan, RoiKind

OUTLINE_VERSION = 3
"""Raised when the training or the arithmetic of outlines changes, so that stored networks of before
are not used.
"""
MAX_EXAMPLES = 2000
MAX_VIEWED_IMAGES = 1500
"""Images of a data set up to which a fit reads each with every kind of ROI.

With more, one kind is drawn for each: the kinds mix among many images, and kernels stay small.
"""
"""Outlined pictures that a network is trained on at most; they are held in memory."""


FIRST_SEED = 2_000_000_000
FIRST_HELD_OUT_SEED = 3_000_000_000
"""First seeds of the phantoms for outline networks, and of those that judge them.

Data sets and other networks have phantoms of lower seeds.
"""
HELD_OUT_PHANTOMS = 40


class OutlineNetworks(ABC):
    """The outline networks for the images of a data set, and the one for a bundle.

    A network is trained when it is first needed, and stored in the cache.

    Parameters
    ----------
    plan : how the networks are trained
    cache : of networks; its entries never become outdated
    """

    def __init__(
        self,
        plan: OutlinePlan,
        weights: WeightsFinder,
        cache: FeatureCache,
        seed: int,
        progress: ProgressCallback,
    ) -> None:
        self._plan = plan
        self._weights = weights
        self._cache = cache
        self._seed = seed
        self._progress = progress
        self._outliners: dict[int | None, NetworkOutliner] = {}

    @abstractmethod
    def fold_of(self, picture: Picture) -> int | None:
        """Return the fold of the picture's patient; None if the bundle's network did not see it."""

    @abstractmethod
    def held_out(self) -> Iterator[tuple[NetworkOutliner, OutlineExample]]:
        """Yield outlined pictures with an outliner that saw none of the picture's patient."""

    @abstractmethod
    def _training_examples(self, fold: int | None) -> Sequence[OutlineExample]:
        """Return the pictures for the network without a fold; for that of a bundle for None."""

    @abstractmethod
    def _training_facts(self) -> Mapping[str, object]:
        """Return all that determines the pictures of the trainings, for the key of a network."""

    def outliner(self, fold: int | None) -> NetworkOutliner:
        """Return the outliner that saw no patient of a fold; that of all patients for None."""
        if fold not in self._outliners:
            self._outliners[fold] = NetworkOutliner(self._network(fold))
        return self._outliners[fold]

    def key(self, fold: int | None) -> str:
        """Return a hash of all that determines a network."""
        facts = [self._data_key, fold]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @cached_property
    def _data_key(self) -> str:
        card = get_network(self._plan.encoder).card
        facts = {
            "version": OUTLINE_VERSION,
            "plan": asdict(self._plan),
            "weights": _sha256_of_weights(self._weights, card.name),
            "seed": self._seed,
            **self._training_facts(),
        }
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _network(self, fold: int | None) -> OutlineNetwork:
        key = f"outlines/{self.key(fold)}"
        stored = self._cache.get(key)
        if stored is not None:
            tensors = safetensors.torch.load(stored)
            return OutlineNetwork.from_tensors(self._plan, tensors)
        network = self._train(fold, self._training_examples(fold))
        self._cache.put(key, pack_network(network))
        return network

    def _train(
        self, fold: int | None, examples: Sequence[OutlineExample]
    ) -> OutlineNetwork:
        """Train a network; the same examples and seed give the same one on one machine."""
        count = 1 if self._plan.phantoms else self._plan.folds + 1
        place = count - 1 if fold is None else fold

        def report_epoch(epoch: int, loss: float) -> None:
            facts = {"epoch": epoch, "epochs": self._plan.epochs}
            fraction = (place + epoch / self._plan.epochs) / count
            message = Message("progress-epoch", facts)
            self._progress("outline", fraction, message, {"loss": loss})

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            network = OutlineNetwork.pretrained(self._plan, self._weights)
            train_outline_network(
                network,
                examples=examples,
                plan=self._plan,
                seed=self._seed,
                after_epoch=report_epoch,
            )
        return network


class OutlineFolds(OutlineNetworks):
    """Networks of the data set's own outlines: one without each fold of patients, and one of all.

    Parameters
    ----------
    pictures : outlined ones train the networks; labelled ones get outlines
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        plan: OutlinePlan,
        weights: WeightsFinder,
        cache: FeatureCache,
        seed: int,
        progress: ProgressCallback,
    ) -> None:
        super().__init__(plan, weights, cache, seed, progress)
        self._pictures = pictures
        groups = sorted({picture.group for picture in pictures})
        order = np.random.default_rng(seed).permutation(len(groups))
        self._fold_by_group = {
            groups[index]: place % plan.folds for place, index in enumerate(order)
        }

    def fold_of(self, picture: Picture) -> int:
        """Return the fold of the picture's patient."""
        return self._fold_by_group[picture.group]

    def held_out(self) -> Iterator[tuple[NetworkOutliner, OutlineExample]]:
        """Yield each outlined picture with the outliner that saw none of its patient."""
        for picture, example in self._examples:
            yield self.outliner(self.fold_of(picture)), example

    def _training_examples(self, fold: int | None) -> Sequence[OutlineExample]:
        return [
            example
            for picture, example in self._examples
            if fold is None or self.fold_of(picture) != fold
        ]

    def _training_facts(self) -> Mapping[str, object]:
        lines = sorted(f"{picture.key}\t{picture.group}" for picture in self._pictures)
        return {"samples": hashlib.sha256("\n".join(lines).encode()).hexdigest()}

    @cached_property
    def _examples(self) -> list[tuple[Picture, OutlineExample]]:
        """The outlined pictures, at most `MAX_EXAMPLES`, drawn at random."""
        order = np.random.default_rng(self._seed).permutation(len(self._pictures))
        examples: list[tuple[Picture, OutlineExample]] = []
        for index in order:
            if len(examples) == MAX_EXAMPLES:
                break
            picture = self._pictures[index]
            example = _example(picture)
            if example is not None:
                examples.append((picture, example))
        return examples


class PhantomOutlines(OutlineNetworks):
    """One network, trained on drawn phantoms, whose masks are exact. It saw no patient."""

    def fold_of(self, picture: Picture) -> None:
        """Return None: the network saw no image of a data set."""

    def held_out(self) -> Iterator[tuple[NetworkOutliner, OutlineExample]]:
        """Yield phantoms that the network did not see."""
        for example in _phantom_examples(HELD_OUT_PHANTOMS, FIRST_HELD_OUT_SEED):
            yield self.outliner(None), example

    def _training_examples(self, fold: int | None) -> Sequence[OutlineExample]:
        count = self._plan.phantoms
        return _phantom_examples(count, FIRST_SEED + self._seed * count)

    def _training_facts(self) -> Mapping[str, object]:
        return {"first_seed": FIRST_SEED}


@dataclass(frozen=True)
class OutlinedNodules:
    """Cuts nodules out by outlines of networks that saw none of the image's patient.

    Each image is read with one kind of ROI, as readers will give them; the recipe says in what
    shares. The kind follows from the sample's key alone, so it is the same in every run. A fit
    reads each image with every kind, and the shares are the weights of its rows: which image is
    drawn for which kind moves an AUC by 0.02 among 318 images. A fit reads the labeller's outline
    as it is, and not between it and the network's: measured to be better in use, too.

    Attributes
    ----------
    framing : without an outliner
    roi_kind : the kind of every image; None: the shares of the recipe's plan
    reads_labellers_outline : whether an outline as ROI is read as it is
    """

    folds: OutlineNetworks
    framing: Framing
    plan: OutlinePlan
    roi_kind: RoiKind | None = None
    reads_labellers_outline: bool = False

    def key(self, sample: Sample) -> str:
        kind = self._kind(sample)
        fold_key = self.folds.key(self.folds.fold_of(sample))
        is_labellers = self.reads_labellers_outline and kind is RoiKind.OUTLINE
        source = "labeller" if is_labellers else "network"
        return f"{self.framing}-{kind}-{source}-{fold_key}"

    def nodule(self, sample: Sample) -> Nodule:
        marked = sample.read()
        kind = self._kind(sample)
        roi = present_roi(marked, kind, sample)
        is_outline = kind is RoiKind.OUTLINE and roi is not None and roi.polygon
        if self.reads_labellers_outline and is_outline:
            return crop(marked.image, roi, self.framing)
        framing = Framing(
            margin=self.framing.margin,
            calipers=self.framing.calipers,
            outliner=self.folds.outliner(self.folds.fold_of(sample)),
        )
        return crop(marked.image, roi, framing)

    def with_roi_kind(self, kind: RoiKind) -> "OutlinedNodules":
        return replace(self, roi_kind=kind)

    def training_views(self, images: int) -> Sequence[TrainingView]:
        """Return one view for each kind; one of drawn kinds for more than `MAX_VIEWED_IMAGES`."""
        drawn = replace(self, reads_labellers_outline=True)
        if images > MAX_VIEWED_IMAGES:
            return (TrainingView(drawn, weight=1.0),)
        return tuple(
            TrainingView(drawn.with_roi_kind(kind), weight=share)
            for kind, share in self.plan.shares.items()
            if share
        )

    def _kind(self, sample: Sample) -> RoiKind:
        if self.roi_kind is not None:
            return self.roi_kind
        place = sample_random(sample, "kind").random()
        for kind, share in self.plan.shares.items():
            if place < share:
                return kind
            place -= share
        return RoiKind.NONE


def _example(picture: Picture) -> OutlineExample | None:
    """Return an outlined picture; None if it is not outlined or cannot be read."""
    try:
        return OutlineExample.from_marks(picture.read())
    except SeraError as error:
        if error.retryable:
            raise
        return None


def _phantom_examples(count: int, first_seed: int) -> list[OutlineExample]:
    examples = [_example(sample) for sample in phantom_samples(count, first_seed)]
    return [example for example in examples if example is not None]


def _sha256_of_weights(weights: WeightsFinder, network: str) -> str | None:
    card = get_network(network).card
    if card.weights is None:
        return None
    return hashlib.sha256(weights.find(card).read_bytes()).hexdigest()
