"""Pictures for training, labelled or not, and checks of a set of them."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from shared.imaging.image import Nodule
from shared.imaging.regions.crop import Framing, crop
from shared.imaging.regions.marked_image import MarkedImage
from shared.learning.errors import GroupInTrainAndTest, SingleClass


@dataclass(frozen=True)
class Picture:
    """One image. Its pixels are loaded when they are needed and not stored here.

    Attributes
    ----------
    key : identity of the image's bytes and of its ROI, such as their hashes; part of the key of a
        cached feature
    read : decodes the image and what is marked on it; may raise a `SeraError`
    patient : the patient, whose images must not be split; None if unknown
    site : hospital, None if unknown
    """

    key: str
    read: Callable[[], MarkedImage]
    patient: str | None = None
    site: str | None = None

    @property
    def group(self) -> str:
        """The group that is never split.

        It is the patient or, if the patient is unknown, all pictures with the same key.
        """
        if self.patient is None:
            return f"image {self.key}"
        return f"patient {self.site or ''}/{self.patient}"


@dataclass(frozen=True)
class Sample(Picture):
    """One labelled image."""

    malignant: bool = field(kw_only=True)

    def load(self, framing: Framing) -> Nodule:
        """Decode the image and crop the nodule; may raise a `SeraError`."""
        marked = self.read()
        return crop(marked.image, marked.roi, framing)


def check_both_classes(samples: Sequence[Sample]) -> None:
    """Raise `SingleClass` unless both classes are present."""
    labels = {sample.malignant for sample in samples}
    if len(labels) < 2:
        label = "malignant" if True in labels else "benign"
        raise SingleClass(count=len(samples), label=label)


def check_no_shared_groups(training: Iterable[Sample], test: Iterable[Sample]) -> None:
    """Raise `GroupInTrainAndTest` if a patient is in training and in test."""
    training_groups = {sample.group for sample in training}
    test_groups = {sample.group for sample in test}
    shared_groups = training_groups & test_groups
    if shared_groups:
        raise GroupInTrainAndTest(
            count=len(shared_groups), examples=sorted(shared_groups)[0]
        )


def fingerprint(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 of a data set: of its keys, labels and groups, in any order."""
    digest = hashlib.sha256()
    lines = [
        f"{sample.key}\t{sample.malignant:d}\t{sample.group}\n" for sample in samples
    ]
    for line in sorted(lines):
        digest.update(line.encode())
    return digest.hexdigest()
