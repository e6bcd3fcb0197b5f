"""Datasets: create, fill, look at. Operators only."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, UploadFile

from services.api.datasets.schemas import DatasetView, ImageAdded, NewDataset, view
from services.api.datasets.service import DatasetDesk, Labelled
from services.api.dependencies import Operator, WiringDep
from shared.domain.training import Split

router = APIRouter(prefix="/v1", tags=["datasets"])


def desk(wired: WiringDep, who: Operator) -> DatasetDesk:
    return DatasetDesk(wired, who)


DatasetDeskDep = Annotated[DatasetDesk, Depends(desk)]
Text = Annotated[str | None, Form(max_length=200)]


def labelled(
    image: Annotated[UploadFile, File()],
    malignant: Annotated[bool, Form(description="The label; malignant is the positive class.")],
    mask: Annotated[UploadFile | None, File(description="Same size as the image, non-zero inside the nodule.")] = None,
    patient: Text = None,
    site: Text = None,
    size_mm: Annotated[float | None, Form(gt=0, allow_inf_nan=False)] = None,
    tirads: Text = None,
    split: Annotated[Split, Form(description="`test` images are never learned from.")] = Split.TRAIN,
) -> Labelled:
    return Labelled(image.file, malignant, mask.file if mask else None, patient, site, size_mm, tirads, split)


@router.post("/datasets", status_code=201)
def create_dataset(new: NewDataset, desk: DatasetDeskDep) -> DatasetView:
    """Create a dataset; an existing one of that name and kind is returned as it is."""
    return view(desk.create(new.name, new.synthetic))


@router.get("/datasets/{name}")
def read_dataset(name: str, desk: DatasetDeskDep) -> DatasetView:
    return view(desk.find(name))


@router.post("/datasets/{name}/images", status_code=201)
def add_image(name: str, form: Annotated[Labelled, Depends(labelled)], desk: DatasetDeskDep) -> ImageAdded:
    """Add one labelled image; deduplicated by content."""
    image_sha256, added = desk.add(name, form)
    return ImageAdded(image_sha256=image_sha256, added=added)
