"""Gives each site one spelling in all datasets.

A patient's number is unique within a site only, so two spellings of a site would be two patients.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.identity import Spellings
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.tables import DatasetImageRow, HospitalRow, VersionImageRow


def unify_sites(
    session: Session, dataset: UUID, images: Sequence[LabelledImage]
) -> list[LabelledImage]:
    """Return the images under the spellings that the ledger has of their sites."""
    sites = [image.site for image in images if image.site]
    spellings = site_spellings(session, dataset, sites)
    return [
        replace(image, site=spellings.unify(image.site)) if image.site else image
        for image in images
    ]


def site_spellings(session: Session, dataset: UUID, sites: Sequence[str]) -> Spellings:
    """The known spellings of these sites: the dataset's, then other datasets' and hospitals'."""
    present = _dataset_sites(session, dataset)
    if set(sites) <= set(present):
        return Spellings(present)
    return Spellings([*present, *_all_sites(session)])


def _dataset_sites(session: Session, dataset: UUID) -> list[str]:
    query = (
        select(DatasetImageRow.site)
        .where(DatasetImageRow.dataset_id == dataset, DatasetImageRow.site.is_not(None))
        .distinct()
        .order_by(DatasetImageRow.site)
    )
    return [site for site in session.scalars(query) if site]


def _all_sites(session: Session) -> list[str]:
    """The sites of frozen versions, of all drafts, and the names of hospitals."""
    columns = (VersionImageRow.site, DatasetImageRow.site, HospitalRow.name)
    sites: list[str] = []
    for column in columns:
        query = select(column).where(column.is_not(None)).distinct().order_by(column)
        sites += [site for site in session.scalars(query) if site]
    return sites
