"""How a fit cuts the nodules out of its samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from shared.imaging.image import Nodule
from shared.imaging.regions.crop import Framing, crop
from shared.learning.samples.presented import present_roi
from shared.learning.samples.sample import Sample
from shared.recipes import RoiKind


class NoduleReader(Protocol):
    """Cuts the nodule out of a sample."""

    def key(self, sample: Sample) -> str:
        """Return all that determines the nodule besides the sample, as a part of a cache key."""
        ...

    def nodule(self, sample: Sample) -> Nodule:
        """Return the sample's nodule; may raise a `SeraError`."""
        ...

    def with_roi_kind(self, kind: RoiKind) -> "NoduleReader":
        """Return a reader that reads every image with this kind of ROI."""
        ...

    def training_views(self, images: int) -> Sequence["TrainingView"]:
        """Return the ways in which a fit of this many images reads each of them.

        Their weights add up to 1. Empty: it reads them as this reader does.
        """
        ...


class TrainingView(NamedTuple):
    """One of the ways in which a fit reads its images, and the weight of its rows."""

    nodules: NoduleReader
    weight: float


@dataclass(frozen=True)
class FramedNodules:
    """Cuts every nodule out in the same way.

    Attributes
    ----------
    roi_kind : the kind of ROI that each image is read with; None: the one that it has
    """

    framing: Framing
    roi_kind: RoiKind | None = None

    def key(self, sample: Sample) -> str:
        kind = "" if self.roi_kind is None else f"-{self.roi_kind}"
        return f"{self.framing}{kind}"

    def nodule(self, sample: Sample) -> Nodule:
        if self.roi_kind is None:
            return sample.load(self.framing)
        marked = sample.read()
        roi = present_roi(marked, self.roi_kind, sample)
        return crop(marked.image, roi, self.framing)

    def with_roi_kind(self, kind: RoiKind) -> "FramedNodules":
        return replace(self, roi_kind=kind)

    def training_views(self, images: int) -> Sequence[TrainingView]:
        return ()
