"""Routes of datasets: create, fill, correct, split, freeze. Operators only."""

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

from services.api.datasets.batch import BatchService, read_table
from services.api.datasets.composition import CompositionView
from services.api.datasets.content import ImageFiles
from services.api.datasets.manifest_view import ManifestView, manifest_view
from services.api.datasets.schemas import (
    MAX_HASHES,
    MAX_NUMBER,
    SHA256,
    BatchReport,
    BatchTrial,
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
    OutcomeImportView,
    Sha256,
    SplitView,
    VersionDetail,
    VersionView,
    dataset_view,
)
from services.api.datasets.service import DatasetService, ImageService, Labelled
from services.api.dependencies import (
    Dependencies,
    DependenciesDep,
    IdempotentRequestDep,
    Operator,
    SystemSessionDep,
    TransactionDep,
)
from services.api.etags import IfMatch, set_etag
from services.api.strict_requests import StrictRoute
from services.api.text import OptionalText
from shared.domain.training.states import Split
from shared.domain.typed_sizes import MAX_MM
from shared.imaging import Roi
from shared.ledger import SystemSession

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["datasets"])
MANIFEST = (
    "CSV in UTF-8, UTF-16 or CP949, as a field or a file: "
    "`image,malignant,[mask],[patient],[site],[size_mm],[split],[tirads]`. `image` "
    "and `mask` are names of files of this request. For an image that the dataset already has they "
    "may be its hashes; such a row is only compared. At most 2,000 rows."
)
TABLE = (
    "CSV in UTF-8, UTF-16 or CP949, with comma, semicolon, tab or vertical bar: "
    "`image,malignant,[mask],[patient],[site],[size_mm],[split],[tirads]`. Other columns are "
    "ignored and named; a name that is nearly one of these is refused. At most 20,000 rows and "
    "4 MiB."
)
DryRunQuery = Annotated[
    bool,
    Query(
        description="Do everything but the write, and answer what would happen.",
    ),
]
MANIFEST_EXAMPLE = (
    "image,malignant,mask,patient,site\n"
    "a.png,1,a-mask.png,P-17,north\n"
    "b.png,0,,P-18,north\n"
)


def dataset_service(caller: Operator, session: SystemSessionDep) -> DatasetService:
    return DatasetService(session)


def image_files(dependencies: Dependencies) -> ImageFiles:
    return ImageFiles(
        objects=dependencies.objects,
        deidentifier=dependencies.deidentifier,
        decoder_pool=dependencies.decoder_pool,
    )


def image_service(
    caller: Operator,
    transaction: TransactionDep,
    idempotent: IdempotentRequestDep,
    dependencies: DependenciesDep,
) -> ImageService:
    session = SystemSession(transaction, caller.actor)
    files = image_files(dependencies)
    return ImageService(session, files, idempotent)


def batch_service(
    caller: Operator,
    transaction: TransactionDep,
    idempotent: IdempotentRequestDep,
    dependencies: DependenciesDep,
) -> BatchService:
    session = SystemSession(transaction, caller.actor)
    files = image_files(dependencies)
    return BatchService(session, files, idempotent)


DatasetServiceDep = Annotated[DatasetService, Depends(dataset_service)]
ImageServiceDep = Annotated[ImageService, Depends(image_service)]
BatchServiceDep = Annotated[BatchService, Depends(batch_service)]
Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="The version's number.")]
ImageHash = Annotated[
    Sha256, Path(description="SHA-256 of the image file.", examples=[SHA256])
]


def labelled(
    image: Annotated[UploadFile, File()],
    malignant: Annotated[
        bool, Form(description="Label; malignant is the positive class.")
    ],
    mask: Annotated[
        UploadFile | None,
        File(description="Same size as the image, non-zero inside the nodule."),
    ] = None,
    patient: Annotated[
        OptionalText,
        Form(
            description="Patient number of the hospital; only a keyed hash is stored."
        ),
    ] = None,
    site: Annotated[OptionalText, Form()] = None,
    size_mm: Annotated[float | None, Form(gt=0, le=MAX_MM, allow_inf_nan=False)] = None,
    tirads: Annotated[OptionalText, Form()] = None,
    roi: Annotated[
        str | None,
        Form(
            description='Where the nodule is, as JSON: `{"box": [x, y, width, height]}` or '
            '`{"polygon": [[x, y], ...]}` in pixels of the upright image.'
        ),
    ] = None,
    split: Annotated[
        Split | None,
        Form(
            description="`test` images are never used for training. If omitted, SERA derives the "
            "split from the patient."
        ),
    ] = None,
) -> Labelled:
    facts = Facts(
        malignant=malignant,
        patient=patient,
        site=site,
        size_mm=size_mm,
        tirads=tirads,
        roi=None if roi is None else Roi.parse(roi).to_fields(),
        split=split,
    )
    return Labelled(image=image.file, mask=mask.file if mask else None, facts=facts)


@router.post("/datasets", status_code=201)
def create_dataset(
    new: NewDataset, service: DatasetServiceDep, dry_run: DryRunQuery = False
) -> DatasetView:
    """Create a dataset. If a dataset of the same name and kind exists, it is returned unchanged."""
    if dry_run:
        return dataset_view(service.try_create(new.name, new.synthetic))
    return dataset_view(service.create(new.name, new.synthetic))


@router.get("/datasets")
def list_datasets(service: DatasetServiceDep) -> list[DatasetView]:
    """Return all datasets, sorted by name."""
    return [dataset_view(dataset) for dataset in service.all()]


@router.get("/datasets/{name}")
def read_dataset(
    name: str, service: DatasetServiceDep, response: Response
) -> DatasetDetail:
    """Return the counts of a dataset's draft by split, site and label. The ETag is the draft's
    revision.
    """
    dataset = service.read(name)
    set_etag(response, str(dataset.revision))
    return dataset


@router.get("/datasets/{name}/composition")
def read_composition(
    name: str,
    service: DatasetServiceDep,
    version: Annotated[
        int | None,
        Query(
            ge=1,
            le=MAX_NUMBER,
            description="Number of a frozen version; the draft if omitted.",
        ),
    ] = None,
) -> CompositionView:
    """Return the numbers of images, malignant images and patients by split, site and size."""
    return service.composition(name, version)


@router.post("/datasets/{name}/images", status_code=201)
def add_image(
    name: str, form: Annotated[Labelled, Depends(labelled)], service: ImageServiceDep
) -> ImageAdded:
    """Add one labelled image. An image that the dataset already has with the same label changes
    nothing. With another label it is refused.
    """
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
    """Correct a row of the draft. Frozen versions do not change. An image in a frozen version keeps
    its split.
    """
    return service.correct(name, image_sha256, correction, tags)


@router.delete("/datasets/{name}/images/{image_sha256}")
def remove_image(
    name: str, image_sha256: ImageHash, service: DatasetServiceDep, tags: IfMatch
) -> ImageView:
    """Remove a row from the draft. A row that came from a case returns with the next import of
    outcomes.
    """
    return service.remove(name, image_sha256, tags)


@router.post("/datasets/{name}/known")
def ask_known(
    name: str,
    images: Annotated[list[Sha256], Body(max_length=MAX_HASHES, examples=[[SHA256]])],
    service: DatasetServiceDep,
) -> KnownImages:
    """Return which of these files (by SHA-256) the dataset already has. These files need not be
    sent again.
    """
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
    dry_run: DryRunQuery = False,
) -> BatchTrial | BatchReport:
    """Add many labelled images, and return the outcome of each row. A repeated batch changes
    nothing.

    With `dry_run`, nothing is stored, the dataset need not exist, and the answer has `thumbnails`
    of the first images.
    """
    if dry_run:
        return service.try_rows(name, manifest, files or [])
    return service.add_rows(name, manifest, files or [])


@router.post("/manifests")
def read_manifest(
    caller: Operator,
    manifest: Annotated[
        UploadFile | str, File(description=TABLE, examples=[MANIFEST_EXAMPLE])
    ],
) -> ManifestView:
    """Read a manifest without importing it: its counts, its rows as SERA understands them, and the
    lines that it refuses. Nothing is stored.
    """
    return manifest_view(read_table(manifest))


@router.post("/datasets/{name}/split")
def split_dataset(
    name: str, new: NewSplit, service: DatasetServiceDep, tags: IfMatch
) -> SplitView:
    """Assign every image of the draft to `train` or `test`, except images of frozen versions."""
    return service.split(name, new, tags)


@router.post("/datasets/{name}/outcomes")
def take_outcomes(
    name: str, outcome_filter: OutcomeFilter, service: DatasetServiceDep, tags: IfMatch
) -> OutcomeImportView:
    """Import cases with consent and a known outcome into the draft. Corrected labels are updated,
    and images with withdrawn consent are removed.
    """
    return service.import_outcomes(name, outcome_filter, tags)


@router.post(
    "/datasets/{name}/versions",
    status_code=201,
    responses={200: {"description": "Unchanged since that version."}},
)
def freeze_dataset(
    name: str, service: DatasetServiceDep, response: Response, tags: IfMatch
) -> FrozenView:
    """Freeze the draft into a version that never changes. An unchanged draft returns its existing
    version.
    """
    frozen = service.freeze(name, tags)
    response.status_code = 201 if frozen.new else 200
    return frozen


@router.get("/datasets/{name}/versions")
def list_versions(name: str, service: DatasetServiceDep) -> list[VersionView]:
    """Return the versions of a dataset, newest first."""
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
            description="Compare with this version instead of the previous version.",
        ),
    ] = None,
) -> VersionDetail:
    """Return a version, and its changes since the previous version."""
    return service.version(name, number, against)
