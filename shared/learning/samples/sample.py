"""A labelled nodule to learn from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.imaging.image import Nodule
from shared.learning.errors import GroupOnBothSides, SingleClass


@dataclass(frozen=True)
class Sample:
    """One labelled image; its pixels are loaded when they are needed and not kept.

    Attributes
    ----------
    key : identity of the image's bytes and of its ROI, such as their hashes; part of the key of a cached feature
    malignant : the label
    load : decodes the image and cuts the nodule out as the recipe wants it; may raise a `SeraError`
    patient : unit that must not be split, None where unknown
    site : hospital, None where unknown
    """

    key: str
    malignant: bool
    load: Callable[[], Nodule]
    patient: str | None = None
    site: str | None = None

    @property
    def group(self) -> str:
        """All images of a group stay on one side of every split: a patient's, or those with the same pixels."""
        return (
            f"image {self.key}"
            if self.patient is None
            else f"patient {self.site or ''}/{self.patient}"
        )


def check_both_classes(samples: Sequence[Sample]) -> None:
    """Both classes must be there (`SingleClass`)."""
    labels = {sample.malignant for sample in samples}
    if len(labels) < 2:
        raise SingleClass(
            count=len(samples), label="malignant" if True in labels else "benign"
        )


def check_no_shared_groups(training: Iterable[Sample], test: Iterable[Sample]) -> None:
    """No patient may be on both sides of a given split (`GroupOnBothSides`)."""
    shared = {sample.group for sample in training} & {sample.group for sample in test}
    if shared:
        raise GroupOnBothSides(count=len(shared), examples=sorted(shared)[0])
