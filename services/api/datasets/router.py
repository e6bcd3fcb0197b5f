"""Datasets: create, fill, correct, split, freeze. Operators only."""

from typing import Annotated

from fastapi import (
    APIRouter,
    Body,
    Depends,
    File,
    Form,
    Path,
    Query,
    Response,
    UploadFile,
)

from services.api.datasets.batch import BatchService
from services.api.datasets.composition import CompositionView
from services.api.datasets.content import ImageFiles
from services.api.datasets.schemas import (
    MAX_NUMBER,
    MAX_HASHES,
    SHA256,
    BatchReport,
    Correction,
    DatasetDetail,
    DatasetView,
    Facts,
    FrozenView,
    ImageAdded,
    ImageView,
    KnownImages,
    NewDataset,
    NewSplit,
    OutcomeFilter,
    Sha256,
    SplitView,
    OutcomeImportView,
    VersionDetail,
    VersionView,
    dataset_view,
)
from services.api.datasets.service import DatasetService, ImageService, Labelled
from services.api.dependencies import (
    DependenciesDep,
    IdempotentRequestDep,
    Operator,
    SystemSessionDep,
    TransactionDep,
)
from services.api.etags import IfMatch, set_etag
from services.api.text import OptionalText
from shared.domain.training.states import Split
from shared.ledger import SystemSession

router = APIRouter(prefix="/v1", tags=["datasets"])
MANIFEST = (
    "CSV in UTF-8, as a field or a file: `image,malignant,[mask],[patient],[site],[size_mm],[split],[tirads]`. `image` "
    "and `mask` are names of files of this request; of an image that the dataset has already they may be its hashes: "
    "the row is then only compared. At most 2,000 rows."
)
MANIFEST_EXAMPLE = "image,malignant,mask,patient,site\na.png,1,a-mask.png,P-17,north\nb.png,0,,P-18,north\n"


def dataset_service(caller: Operator, session: SystemSessionDep) -> DatasetService:
    return DatasetService(session)


def image_service(
    caller: Operator,
    transaction: TransactionDep,
    idempotent: IdempotentRequestDep,
    dependencies: DependenciesDep,
) -> ImageService:
    session = SystemSession(transaction, caller.actor)
    files = ImageFiles(dependencies.objects, dependencies.deidentifier)
    return ImageService(session, files, idempotent)


def batch_service(
    caller: Operator,
    transaction: TransactionDep,
    idempotent: IdempotentRequestDep,
    dependencies: DependenciesDep,
) -> BatchService:
    session = SystemSession(transaction, caller.actor)
    files = ImageFiles(dependencies.objects, dependencies.deidentifier)
    return BatchService(session, files, idempotent)


DatasetServiceDep = Annotated[DatasetService, Depends(dataset_service)]
ImageServiceDep = Annotated[ImageService, Depends(image_service)]
BatchServiceDep = Annotated[BatchService, Depends(batch_service)]
Number = Annotated[
    int, Path(ge=1, le=MAX_NUMBER, description="The version's number.")
]
ImageHash = Annotated[
    Sha256, Path(description="SHA-256 of the image file.", examples=[SHA256])
]


def labelled(
    image: Annotated[UploadFile, File()],
    malignant: Annotated[
        bool, Form(description="The label; malignant is the positive class.")
    ],
    mask: Annotated[
        UploadFile | None,
        File(description="Same size as the image, non-zero inside the nodule."),
    ] = None,
    patient: Annotated[
        OptionalText,
        Form(description="The hospital's number; only a keyed hash is kept."),
    ] = None,
    site: Annotated[OptionalText, Form()] = None,
    size_mm: Annotated[float | None, Form(gt=0, allow_inf_nan=False)] = None,
    tirads: Annotated[OptionalText, Form()] = None,
    split: Annotated[
        Split | None,
        Form(
            description="`test` images are never learned from; left out, it follows from the patient."
        ),
    ] = None,
) -> Labelled:
    facts = Facts(
        malignant=malignant,
        patient=patient,
        site=site,
        size_mm=size_mm,
        tirads=tirads,
        split=split,
    )
    return Labelled(image.file, mask.file if mask else None, facts)


@router.post("/datasets", status_code=201)
def create_dataset(new: NewDataset, service: DatasetServiceDep) -> DatasetView:
    """Create a dataset; an existing one of that name and kind is returned as it is."""
    return dataset_view(service.create(new.name, new.synthetic))


@router.get("/datasets")
def list_datasets(service: DatasetServiceDep) -> list[DatasetView]:
    """All datasets, by name."""
    return [dataset_view(dataset) for dataset in service.all()]


@router.get("/datasets/{name}")
def read_dataset(
    name: str, service: DatasetServiceDep, response: Response
) -> DatasetDetail:
    """A dataset's draft, counted by part, site and label. The ETag is the draft's revision."""
    found = service.read(name)
    set_etag(response, str(found.revision))
    return found


@router.get("/datasets/{name}/composition")
def read_composition(
    name: str,
    service: DatasetServiceDep,
    version: Annotated[
        int | None,
        Query(
            ge=1,
            le=MAX_NUMBER,
            description="A frozen version; left out: the draft.",
        ),
    ] = None,
) -> CompositionView:
    """Images, malignant ones and patients by part, site and size."""
    return service.composition(name, version)


@router.post("/datasets/{name}/images", status_code=201)
def add_image(
    name: str, form: Annotated[Labelled, Depends(labelled)], service: ImageServiceDep
) -> ImageAdded:
    """Add one labelled image; deduplicated by content. The same image under another label is refused."""
    image_sha256, added = service.add(name, form)
    return ImageAdded(image_sha256=image_sha256, added=added)


@router.put("/datasets/{name}/images/{image_sha256}")
def correct_image(
    name: str,
    image_sha256: ImageHash,
    correction: Correction,
    service: DatasetServiceDep,
    tags: IfMatch,
) -> ImageView:
    """Correct a row of the draft. Frozen versions keep what they hold; an image in one keeps its part."""
    return service.correct(name, image_sha256, correction, tags)


@router.delete("/datasets/{name}/images/{image_sha256}")
def remove_image(
    name: str, image_sha256: ImageHash, service: DatasetServiceDep, tags: IfMatch
) -> ImageView:
    """Take a row out of the draft. One that came as a case comes back with the next taking of outcomes."""
    return service.remove(name, image_sha256, tags)


@router.post("/datasets/{name}/known")
def ask_known(
    name: str,
    images: Annotated[list[Sha256], Body(max_length=MAX_HASHES, examples=[[SHA256]])],
    service: DatasetServiceDep,
) -> KnownImages:
    """Which of these images, named by the SHA-256 of their files, the dataset has: those need not be sent again."""
    return service.known(name, images)


@router.post("/datasets/{name}/batches")
def add_batch(
    name: str,
    manifest: Annotated[
        UploadFile | str, File(description=MANIFEST, examples=[MANIFEST_EXAMPLE])
    ],
    service: BatchServiceDep,
    files: Annotated[
        list[UploadFile] | None, File(description="Images and masks, at most 1,000.")
    ] = None,
) -> BatchReport:
    """Add many labelled images; answers what became of each row. A batch sent again changes nothing."""
    return service.add_rows(name, manifest, files or [])


@router.post("/datasets/{name}/split")
def split_dataset(
    name: str, new: NewSplit, service: DatasetServiceDep, tags: IfMatch
) -> SplitView:
    """Put every image of the draft into `train` or `test`, save those that a frozen version holds fast."""
    return service.split(name, new, tags)


@router.post("/datasets/{name}/outcomes")
def take_outcomes(
    name: str, which: OutcomeFilter, service: DatasetServiceDep, tags: IfMatch
) -> OutcomeImportView:
    """Bring cases with consent and a known outcome into the draft; follow corrections and withdrawn consent."""
    return service.import_outcomes(name, which, tags)


@router.post(
    "/datasets/{name}/versions",
    status_code=201,
    responses={200: {"description": "Unchanged since that version."}},
)
def freeze_dataset(
    name: str, service: DatasetServiceDep, response: Response, tags: IfMatch
) -> FrozenView:
    """Freeze the draft into a version that never changes; an unchanged draft gives the version it has."""
    frozen = service.freeze(name, tags)
    response.status_code = 201 if frozen.new else 200
    return frozen


@router.get("/datasets/{name}/versions")
def list_versions(name: str, service: DatasetServiceDep) -> list[VersionView]:
    """Newest first."""
    return service.versions(name)


@router.get("/datasets/{name}/versions/{number}")
def read_version(
    name: str,
    number: Number,
    service: DatasetServiceDep,
    against: Annotated[
        int | None,
        Query(
            ge=1,
            le=MAX_NUMBER,
            description="Compare with this version instead of the one before.",
        ),
    ] = None,
) -> VersionDetail:
    """A version, and what changed since the one before it."""
    return service.version(name, number, against)
