"""Pictures of a study's folders that are outlined but not labelled: an outline network learns from
them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from shared.domain.datasets.manifest import Row
from shared.domain.identity import Spellings
from shared.domain.regular_files import FileUnreadable, read_file
from shared.domain.training.states import Split
from shared.imaging import Roi, RoiInvalid, RoiTooSmall
from shared.imaging.files import read_marked_image
from shared.learning import Picture, Sample


class RowFiles(NamedTuple):
    """What a row's files are, by their content.

    Attributes
    ----------
    pixels : SHA-256 of the image's bytes
    key : SHA-256 over the hashes of the image's and the mask's bytes, and the ROI
    """

    pixels: str
    key: str
    roi: Roi | None

    @classmethod
    def read(cls, row: Row) -> "RowFiles":
        """Hash a row's files. Raises `FileUnreadable`, `RoiInvalid`, `RoiTooSmall`."""
        pixels = hashlib.sha256(read_file(row.image)).hexdigest()
        mask = hashlib.sha256(read_file(row.mask)).hexdigest() if row.mask else ""
        roi = Roi.parse(row.fields["roi"]) if "roi" in row.fields else None
        nodule = "/".join((pixels, mask, *([roi.to_json()] if roi else ())))
        key = hashlib.sha256(nodule.encode()).hexdigest()
        return cls(pixels=pixels, key=key, roi=roi)


def outlined_pictures(
    rows: Iterable[tuple[str, Row]],
    training: Sequence[Sample],
    test: Sequence[Sample],
    labelled_pixels: Iterable[str],
) -> list[Picture]:
    """Return the outlined pictures among a study's unlabelled rows.

    Left out are rows whose files cannot be read, rows of the split `test` and of its patients, and
    images that a labelled row has. A patient and a site are spelt as in the training samples.

    Parameters
    ----------
    rows : each with the name of its folder, "" for a single one
    labelled_pixels : SHA-256 of the bytes of each labelled image
    """
    spellings = _PatientSpellings(training)
    test_groups = {sample.group for sample in test}
    known_pixels = set(labelled_pixels)
    pictures = []
    for folder, row in rows:
        files = _outlined_files(row)
        if files is None or files.pixels in known_pixels:
            continue
        site, patient = spellings.unify(
            row.fields.get("site") or folder or None, row.fields.get("patient")
        )
        picture = Picture(
            files.key,
            partial(read_marked_image, row.image, mask=row.mask, roi=files.roi),
            patient=patient,
            site=site,
        )
        if picture.group not in test_groups:
            known_pixels.add(files.pixels)
            pictures.append(picture)
    return pictures


class _PatientSpellings:
    """The first spelling of each site, and of each patient of a site."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._sites = Spellings()
        self._patients_by_site: dict[str | None, Spellings] = {}
        for sample in samples:
            self.unify(sample.site, sample.patient)

    def unify(
        self, site: str | None, patient: str | None
    ) -> tuple[str | None, str | None]:
        own_site = self._sites.unify(site) if site else None
        patients = self._patients_by_site.setdefault(own_site, Spellings())
        return own_site, patients.unify(patient) if patient else None


def _outlined_files(row: Row) -> RowFiles | None:
    """Return the files of a training row with a mask or a polygon; None of any other row."""
    is_training = Split(row.fields.get("split", Split.TRAIN)) is Split.TRAIN
    if row.malignant is not None or not is_training:
        return None
    try:
        files = RowFiles.read(row)
    except (FileUnreadable, RoiInvalid, RoiTooSmall):
        return None
    has_polygon = files.roi is not None and files.roi.polygon is not None
    return files if row.mask or has_polygon else None
