"""A labelled folder as a study sees it: samples to learn from, and what people said of the same images."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from shared.domain.datasets.manifest import MANIFEST, read_manifest, reader_columns
from shared.domain.datasets.manifest import Row as Line
from shared.domain.training.states import Split
from shared.imaging import Framing
from shared.imaging.files import FileUnreadable, read_file, read_nodule
from shared.learning import GroupOnBothSides, Sample, check_no_shared_groups
from shared.statistics import ConstantScores, SingleClass, youden_cutoff
from shared.study.errors import NothingToStudy, RowInvalid
from shared.study.results import Flags, Row, Scores, Section

LABELS = {"0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
CALLS = {0.0, 1.0}


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One labelled line of the manifest, checked.

    Attributes
    ----------
    key : SHA-256 over the hashes of the image's and the mask's bytes
    pixels : SHA-256 of the image's bytes alone
    judgements : by person; 0 or 1 for benign or malignant, or a rating
    """

    row: Line
    malignant: bool
    key: str
    pixels: str
    split: Split
    judgements: dict[str, float]

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def patient(self) -> str | None:
        return self.row.fields.get("patient")

    @property
    def site(self) -> str | None:
        return self.row.fields.get("site")

    def sample(self, framing: Framing, unit: str | None) -> Sample:
        load = partial(read_nodule, self.row.image, self.row.mask, framing)
        return Sample(self.key, self.malignant, load, patient=unit, site=self.site)


@dataclass(frozen=True)
class LabelledFolder:
    """The labelled images of a folder, without those that are held out for a test.

    Attributes
    ----------
    images : what the study is about, in the manifest's order
    readers : people who judged them, by the manifest's columns `reader_NAME`
    unlabelled, held_out, repeated : lines left out: without a label, of the split `test`, the same image once more
    contradicted : images left out that the manifest calls benign and malignant
    """

    root: Path
    images: tuple[LabelledImage, ...]
    readers: tuple[str, ...]
    count_unlabelled: int = 0
    count_held_out: int = 0
    count_repeated: int = 0
    contradictory_images: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read and check the whole manifest; every file it names is opened once, to be hashed.

        Raises
        ------
        ManifestInvalid, RowInvalid, NothingToStudy
        GroupOnBothSides
            if a patient, or the same image, is held out and studied
        """
        lines = read_manifest(path)
        labelled = _checked(path / MANIFEST, [line for line in lines if line.malignant])
        contradicted = _with_two_labels(labelled)
        sure = [image for image in labelled if image not in contradicted]
        training = [image for image in sure if image.split is Split.TRAIN]
        if not training:
            raise NothingToStudy(path=path / MANIFEST)
        test = [image for image in sure if image.split is Split.TEST]
        _check_apart(training, test)
        once = _first_of_each(training)
        return cls(
            root=path,
            images=once,
            readers=reader_columns([image.row for image in once]),
            unlabelled=len(lines) - len(labelled),
            held_out=len(test),
            repeated=len(training) - len(once),
            contradicted=tuple(image.name for image in contradicted),
        )

    def samples(self, framing: Framing) -> list[Sample]:
        """One sample for each image, cut out in that way when it is loaded."""
        return _samples(self.images, framing)

    @property
    def masked_share(self) -> float:
        """Share of the images that come with a mask."""
        return sum(image.row.mask is not None for image in self.images) / len(
            self.images
        )

    @property
    def names_by_key(self) -> dict[str, str]:
        """Key of each sample -> the image as the manifest names it."""
        return {image.key: image.name for image in self.images}


def reader_rows(folder: LabelledFolder, indices: Sequence[int]) -> list[Row]:
    """The people who judged any of these images, as rows of the section READERS.

    A person whose values are all 0 or 1 decides; any other numbers are ratings, higher = more suspicious, which become
    decisions at Youden's cut-off over all images judged: it flatters the person, and `facts` says so.

    Parameters
    ----------
    indices : (N,) numbers of the folder's images, in the order of the study's
    """
    images = [folder.images[index] for index in indices]
    malignant = np.array([image.malignant for image in images], bool)
    rows = [
        _reader_row(name, images, malignant, _decides(folder, name))
        for name in folder.readers
    ]
    return [row for row in rows if row.judgement_mask.any()]


def _reader_row(
    name: str, images: Sequence[LabelledImage], malignant: Flags, decides: bool
) -> Row:
    values = np.array(
        [image.judgements.get(name, math.nan) for image in images], np.float64
    )
    judged = np.isfinite(values)
    if decides:
        facts = {"judgement": "benign or malignant", "cut-off": "the person's own"}
        return Row(
            Section.READERS, name, facts, judged & (values == 1), None, None, judged
        )
    cutoff, told = _rating_cutoff(values[judged], malignant[judged])
    facts = {"judgement": "rating", "cut-off": told}
    return Row(
        Section.READERS, name, facts, judged & (values >= cutoff), values, None, judged
    )


def _rating_cutoff(ratings: Scores, malignant: Flags) -> tuple[float, str]:
    """The cut-off, and how it came about; where none can be found nothing is called malignant."""
    try:
        cutoff = youden_cutoff(ratings, malignant)
    except (ConstantScores, SingleClass):
        return (
            math.inf,
            "none: equal ratings or one class only, so nothing counts as called malignant",
        )
    return cutoff, f"{cutoff:g}, by Youden over all images judged, so flattering"


def _decides(folder: LabelledFolder, name: str) -> bool:
    """Whether all of a person's values in the whole folder are 0 or 1."""
    return {
        image.judgements[name] for image in folder.images if name in image.judgements
    } <= CALLS


def _samples(images: Sequence[LabelledImage], framing: Framing) -> list[Sample]:
    """Where patients are unknown, images with the same pixels and different masks still stay together."""
    seen = Counter(image.pixels for image in images if image.patient is None)
    return [
        image.sample(
            framing,
            image.patient
            or (f"of image {image.pixels}" if seen[image.pixels] > 1 else None),
        )
        for image in images
    ]


def _with_two_labels(images: Sequence[LabelledImage]) -> list[LabelledImage]:
    """Every line of an image that has both labels: nobody can say which one is right."""
    both = {image.key for image in images if image.malignant} & {
        image.key for image in images if not image.malignant
    }
    return [image for image in images if image.key in both]


def _first_of_each(images: Sequence[LabelledImage]) -> tuple[LabelledImage, ...]:
    kept: dict[str, LabelledImage] = {}
    for image in images:
        kept.setdefault(image.key, image)
    return tuple(kept.values())


def _check_apart(
    training: Sequence[LabelledImage], test: Sequence[LabelledImage]
) -> None:
    check_no_shared_groups(_samples(training, Framing()), _samples(test, Framing()))
    held_out = {image.pixels for image in test}
    if both := [image.name for image in training if image.pixels in held_out]:
        raise GroupOnBothSides(count=len(both), examples=both[0])


def _checked(path: Path, lines: Sequence[Line]) -> list[LabelledImage]:
    """Every line, or the first problem with how many more there are."""
    found = [(line.line, _image(line)) for line in lines]
    if problems := [
        (number, image) for number, image in found if isinstance(image, str)
    ]:
        more = (
            f"; {len(problems) - 1} more lines cannot be used either"
            if len(problems) > 1
            else ""
        )
        raise RowInvalid(
            path=path, line=problems[0][0], problem=problems[0][1], more=more
        )
    return [image for _, image in found if isinstance(image, LabelledImage)]


def _image(line: Line) -> LabelledImage | str:
    """The image, or what is wrong with its line."""
    if problem := _problem(line):
        return problem
    try:
        pixels = hashlib.sha256(read_file(line.image)).hexdigest()
        mask = hashlib.sha256(read_file(line.mask)).hexdigest() if line.mask else ""
    except FileUnreadable as error:
        return "{name} cannot be opened ({problem})".format(**error.facts)
    return LabelledImage(
        row=line,
        malignant=LABELS[line.malignant.lower()],
        key=hashlib.sha256(f"{pixels}/{mask}".encode()).hexdigest(),
        pixels=pixels,
        split=Split(line.fields.get("split", Split.TRAIN).lower()),
        judgements={name: float(said) for name, said in line.readers.items()},
    )


def _problem(line: Line) -> str | None:
    if not line.name:
        return "it names no image"
    if line.malignant.lower() not in LABELS:
        return f"the label {line.malignant!r} is neither 0 nor 1"
    if line.fields.get("split", Split.TRAIN).lower() not in tuple(Split):
        return f"the split {line.fields['split']!r} is neither train nor test"
    if strange := [name for name, said in line.readers.items() if not _is_number(said)]:
        return (
            f"reader_{strange[0]} says {line.readers[strange[0]]!r}, which is no number"
        )
    return None


def _is_number(said: str) -> bool:
    try:
        return math.isfinite(float(said))
    except ValueError:
        return False
