"""Reads labelled folders for a study: their samples, and people's judgements of the images."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from shared.domain.datasets.manifest import (
    MANIFEST_FILE,
    Manifest,
    read_manifest,
    reader_columns,
    row_problem,
)
from shared.domain.datasets.manifest import Row as ManifestRow
from shared.domain.identity import Spellings, identity_key
from shared.domain.regular_files import FileUnreadable
from shared.domain.training.states import Split
from shared.imaging import Roi, RoiInvalid, RoiTooSmall
from shared.imaging.files import read_marked_image
from shared.learning import (
    GroupInTrainAndTest,
    Picture,
    Sample,
    check_no_shared_groups,
)
from shared.statistics import ConstantScores, SingleClass, youden_cutoff
from shared.study.errors import NothingToStudy, RowInvalid
from shared.study.folder_sites import (
    PlacedImage,
    check_one_site_per_image,
    folder_names,
)
from shared.study.results import Flags, Row, Scores, Section
from shared.study.unlabelled import RowFiles, outlined_pictures

BINARY_JUDGEMENTS = {0.0, 1.0}


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One labelled row of the manifest, checked.

    Attributes
    ----------
    key : SHA-256 over the hashes of the image's and the mask's bytes, and the ROI
    pixels : SHA-256 of the image's bytes alone
    judgements : judgement by person: 0 for benign, 1 for malignant, or a rating
    folder : name of the folder among several; it is part of the image's name and, unless the row
        names a site, the site. "" for a single folder
    """

    row: ManifestRow
    malignant: bool
    key: str
    pixels: str
    split: Split
    judgements: dict[str, float]
    roi: Roi | None = None
    folder: str = ""

    @property
    def name(self) -> str:
        return f"{self.folder}/{self.row.name}" if self.folder else self.row.name

    @property
    def patient(self) -> str | None:
        return self.row.fields.get("patient")

    @property
    def site(self) -> str | None:
        return self.row.fields.get("site") or self.folder or None

    def placed(self) -> PlacedImage:
        """Return where the image is from."""
        return PlacedImage(
            name=self.name,
            path=self.row.image,
            file_sha256=self.pixels,
            folder=self.folder,
            site=self.site,
        )

    def sample(self, patient: str | None) -> Sample:
        """Return a sample of this image.

        Samples with the same `patient` stay together in every split.
        """
        read = partial(
            read_marked_image, self.row.image, mask=self.row.mask, roi=self.roi
        )
        return Sample(
            self.key,
            read,
            patient=patient,
            site=self.site,
            malignant=self.malignant,
        )


@dataclass(frozen=True)
class LabelledFolder:
    """The labelled images of one folder or several, without those of the test split.

    Attributes
    ----------
    images : the images of the study, in the manifests' order
    readers : people who judged the images, from the manifest's columns `reader_NAME`
    ignored_columns : columns of the manifest that nothing was read from
    count_unlabelled : rows without a label
    count_held_out : rows of the split `test`
    count_repeated : rows with an image that an earlier row already has
    contradictory_images : images that the manifest labels both benign and malignant; they are not
        in the study
    outlined : pictures with an outline and without a label, for the outline network
    """

    roots: tuple[Path, ...]
    images: tuple[LabelledImage, ...]
    readers: tuple[str, ...]
    ignored_columns: tuple[str, ...] = ()
    count_unlabelled: int = 0
    count_held_out: int = 0
    count_repeated: int = 0
    contradictory_images: tuple[str, ...] = ()
    outlined: tuple[Picture, ...] = ()

    @classmethod
    def open(cls, *paths: Path) -> Self:
        """Read and check each whole manifest. Every image and mask is opened once to be hashed.

        Each of several folders is a site by its name, where its rows name no site.

        Raises
        ------
        ManifestInvalid, RowInvalid, NothingToStudy
        FoldersAlike
            Two folders have the same name.
        ImageAtTwoSites
            An image is in two folders or at two sites.
        GroupInTrainAndTest
            A patient, or the same image, is in the study and in the test split.
        """
        names = folder_names(paths)
        manifests = [read_manifest(path) for path in paths]
        labelled: list[LabelledImage] = []
        for path, name, manifest in zip(paths, names, manifests, strict=True):
            labelled += _labelled_images(path / MANIFEST_FILE, name, manifest)
        labelled = _with_one_spelling(labelled)
        check_one_site_per_image([image.placed() for image in labelled])
        contradictory = _contradictory_images(labelled)
        consistent = [image for image in labelled if image not in contradictory]
        training = [image for image in consistent if image.split is Split.TRAIN]
        test = [image for image in consistent if image.split is Split.TEST]
        _check_every_folder_is_studied(paths, names, training)
        _check_test_is_separate(training, test)
        images = _without_repeats(training)
        rows = [
            (name, row)
            for name, manifest in zip(names, manifests, strict=True)
            for row in manifest.rows
        ]
        row_count = len(rows)
        ignored_columns = [
            column for manifest in manifests for column in manifest.ignored_columns
        ]
        return cls(
            roots=tuple(paths),
            images=images,
            readers=reader_columns([image.row for image in images]),
            ignored_columns=tuple(dict.fromkeys(ignored_columns)),
            count_unlabelled=row_count - len(labelled),
            count_held_out=len(test),
            count_repeated=len(training) - len(images),
            contradictory_images=tuple(image.name for image in contradictory),
            outlined=tuple(
                outlined_pictures(
                    rows,
                    training=_samples(images),
                    test=_samples(test),
                    labelled_pixels=[image.pixels for image in labelled],
                )
            ),
        )

    def samples(self) -> list[Sample]:
        """Return one sample for each image."""
        return _samples(self.images)

    @property
    def outlined_share(self) -> float:
        """Share of the images that come with a mask or an ROI."""
        outlined = [image for image in self.images if image.row.mask or image.roi]
        return len(outlined) / len(self.images)

    @property
    def count_masked(self) -> int:
        """Number of images that come with a mask."""
        return sum(image.row.mask is not None for image in self.images)

    @property
    def count_shared_patient_names(self) -> int:
        """Number of patients' names that occur at two sites or more."""
        sites_by_patient: dict[str, set[str | None]] = {}
        for image in self.images:
            if image.patient:
                key = identity_key(image.patient)
                sites_by_patient.setdefault(key, set()).add(image.site)
        return sum(len(sites) > 1 for sites in sites_by_patient.values())

    @property
    def names_by_key(self) -> dict[str, str]:
        """Key of each sample -> name of the image in the manifest."""
        return {image.key: image.name for image in self.images}


def reader_rows(folder: LabelledFolder, indices: Sequence[int]) -> list[Row]:
    """Return the people who judged any of these images, as rows of the section READERS.

    Values that are all 0 or 1 are decisions. Any other numbers are ratings, higher = more
    suspicious. They become decisions at Youden's cut-off over all images that the person judged.
    This choice favours the person, and `facts` states it.

    Parameters
    ----------
    indices : (N,) indices of the folder's images, in the order of the study's images
    """
    images = [folder.images[index] for index in indices]
    malignant = np.array([image.malignant for image in images], bool)
    rows = []
    for reader in folder.readers:
        values = [image.judgements.get(reader, math.nan) for image in images]
        row = _reader_row(
            reader,
            values=np.array(values, np.float64),
            malignant=malignant,
            is_binary=_is_binary_reader(folder, reader),
        )
        if row.judgement_mask.any():
            rows.append(row)
    return rows


def _reader_row(
    reader: str, *, values: Scores, malignant: Flags, is_binary: bool
) -> Row:
    """Return the row of a person; `values` (N,) are the judgements, NaN if there is none."""
    judgement_mask = np.isfinite(values)
    if is_binary:
        return Row(
            section=Section.READERS,
            name=reader,
            facts={"judgement": "benign or malignant", "cut-off": "the person's own"},
            decisions=judgement_mask & (values == 1),
            scores=None,
            risks=None,
            judgement_mask=judgement_mask,
        )
    cutoff, cutoff_text = _rating_cutoff(
        values[judgement_mask], malignant[judgement_mask]
    )
    return Row(
        section=Section.READERS,
        name=reader,
        facts={"judgement": "rating", "cut-off": cutoff_text},
        decisions=judgement_mask & (values >= cutoff),
        scores=values,
        risks=None,
        judgement_mask=judgement_mask,
    )


def _rating_cutoff(ratings: Scores, malignant: Flags) -> tuple[float, str]:
    """Return the cut-off, and a text about its choice.

    Without a cut-off no image is called malignant.
    """
    try:
        cutoff = youden_cutoff(ratings, malignant)
    except (ConstantScores, SingleClass):
        return (
            math.inf,
            "none: equal ratings or one class only, so nothing counts as called malignant",
        )
    return cutoff, f"{cutoff:g}, by Youden over all images judged, so flattering"


def _is_binary_reader(folder: LabelledFolder, reader: str) -> bool:
    """Return whether all of a person's values in the whole folder are 0 or 1."""
    values = {image.judgements.get(reader) for image in folder.images}
    return values - {None} <= BINARY_JUDGEMENTS


def _samples(images: Sequence[LabelledImage]) -> list[Sample]:
    """Return samples of the images.

    If patients are unknown, images with the same pixels and different masks still stay together.
    """
    images_by_pixels = Counter(
        image.pixels for image in images if image.patient is None
    )
    samples = []
    for image in images:
        patient = image.patient
        if not patient and images_by_pixels[image.pixels] > 1:
            patient = f"of image {image.pixels}"
        samples.append(image.sample(patient or None))
    return samples


def _contradictory_images(images: Sequence[LabelledImage]) -> list[LabelledImage]:
    """Return every row of an image that has both labels, because the correct label is unknown."""
    malignant_keys = {image.key for image in images if image.malignant}
    benign_keys = {image.key for image in images if not image.malignant}
    contradictory_keys = malignant_keys & benign_keys
    return [image for image in images if image.key in contradictory_keys]


def _without_repeats(images: Sequence[LabelledImage]) -> tuple[LabelledImage, ...]:
    """Return the first row of each image, in the original order."""
    images_by_key: dict[str, LabelledImage] = {}
    for image in images:
        images_by_key.setdefault(image.key, image)
    return tuple(images_by_key.values())


def _with_one_spelling(images: Sequence[LabelledImage]) -> list[LabelledImage]:
    """Return the images with the first spelling of each site and of each patient of a site.

    Each manifest does so for its own rows. Two manifests can differ.
    """
    sites = Spellings()
    patients_by_site: dict[str | None, Spellings] = {}
    unified = []
    for image in images:
        site = sites.unify(image.site) if image.site else None
        fields = dict(image.row.fields)
        if site:
            fields["site"] = site
        if image.patient:
            patients = patients_by_site.setdefault(site, Spellings())
            fields["patient"] = patients.unify(image.patient)
        unified.append(replace(image, row=replace(image.row, fields=fields)))
    return unified


def _check_every_folder_is_studied(
    paths: Sequence[Path], names: Sequence[str], training: Sequence[LabelledImage]
) -> None:
    studied_folders = {image.folder for image in training}
    for path, name in zip(paths, names, strict=True):
        if name not in studied_folders:
            raise NothingToStudy(path=path / MANIFEST_FILE)


def _check_test_is_separate(
    training: Sequence[LabelledImage], test: Sequence[LabelledImage]
) -> None:
    check_no_shared_groups(_samples(training), _samples(test))
    test_pixels = {image.pixels for image in test}
    shared = [image.name for image in training if image.pixels in test_pixels]
    if shared:
        raise GroupInTrainAndTest(count=len(shared), examples=shared[0])


def _labelled_images(
    path: Path, folder: str, manifest: Manifest
) -> list[LabelledImage]:
    """Return every labelled row of a manifest as an image.

    An error describes the first invalid row and counts the other invalid rows.
    """
    images: list[LabelledImage] = []
    problems = [(row.line, str(row.problem)) for row in manifest.refused]
    for row in manifest.rows:
        if row.malignant is None:
            continue
        image = _labelled_image(row, folder)
        if isinstance(image, str):
            problems.append((row.line, image))
        else:
            images.append(image)
    if problems:
        line, reason = min(problems)
        problem = row_problem(line, reason, others=len(problems) - 1)
        raise RowInvalid(path=path, problem=problem)
    return images


def _labelled_image(row: ManifestRow, folder: str) -> LabelledImage | str:
    """Return the image, or the reason why its row is invalid."""
    problem = _row_error_reason(row)
    if problem:
        return problem
    try:
        files = RowFiles.read(row)
    except FileUnreadable as error:
        return "{name} cannot be opened ({problem})".format(**error.facts)
    except (RoiInvalid, RoiTooSmall) as error:
        return str(error)
    return LabelledImage(
        row=row,
        malignant=bool(row.malignant),
        key=files.key,
        pixels=files.pixels,
        split=Split(row.fields.get("split", Split.TRAIN)),
        judgements={reader: float(value) for reader, value in row.readers.items()},
        roi=files.roi,
        folder=folder,
    )


def _row_error_reason(row: ManifestRow) -> str | None:
    if not row.name:
        return "it names no image"
    for reader, value in row.readers.items():
        if not _is_number(value):
            return f"reader_{reader} says {value!r}, which is no number"
    return None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
