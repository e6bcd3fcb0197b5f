"""API schemas of a manifest that was read and not imported."""

from pydantic import BaseModel, Field

from services.api.errors import error_item
from shared.domain.datasets.manifest import Manifest, RefusedRow, Row
from shared.domain.datasets.summary import summarise


class ManifestRow(BaseModel):
    """A row that can be used. An empty cell is unknown."""

    line: int
    image: str
    mask: str | None
    malignant: bool | None
    fields: dict[str, str] = Field(
        description="`patient`, `site`, `size_mm`, `split` and `tirads`, where they are known. "
        "All spellings of a patient's number or of a site have the first spelling."
    )


class ManifestRefusal(BaseModel):
    line: int
    image: str
    code: str
    message: str = Field(description="Reason, in the caller's language.")


class SizeRange(BaseModel):
    smallest_mm: float
    largest_mm: float


class ManifestView(BaseModel):
    """What SERA reads in a manifest. Nothing was stored."""

    encoding: str | None = Field(
        description="`UTF-8`, `UTF-16`, `UTF-32` or `CP949`; null if the manifest came as text."
    )
    sample: str = Field(
        description="Some words of a table that was read as CP949, by which a person sees whether "
        "that was right; else empty."
    )
    delimiter: str = Field(description="Comma, semicolon, tab or vertical bar.")
    lines: int = Field(
        description="Lines below the first that are not blank. There are more lines than rows "
        "if a cell runs over several lines."
    )
    ignored_columns: list[str] = Field(
        description="Columns that are ignored. `#3` is the third column, without a name."
    )
    malignant: int
    benign: int
    without_label: int
    with_mask: int
    patients: int
    without_patient: int
    sites: dict[str, int] = Field(description="Number of rows by site.")
    joined_sites: dict[str, list[str]] = Field(
        description="Other spellings of a site, by the spelling that is used. Case, width and "
        "spaces make no difference."
    )
    splits: dict[str, int] = Field(description="Number of rows by part.")
    with_size: int
    sizes: SizeRange | None
    rows: list[ManifestRow]
    refused: list[ManifestRefusal]


def manifest_view(manifest: Manifest) -> ManifestView:
    summary = summarise(manifest)
    sizes = None
    if summary.sizes:
        smallest, largest = summary.sizes
        sizes = SizeRange(smallest_mm=smallest, largest_mm=largest)
    return ManifestView(
        encoding=manifest.encoding,
        sample=manifest.sample,
        delimiter=manifest.delimiter,
        lines=manifest.line_count,
        ignored_columns=list(manifest.ignored_columns),
        malignant=summary.malignant,
        benign=summary.benign,
        without_label=summary.without_label,
        with_mask=summary.with_mask,
        patients=summary.patients,
        without_patient=summary.without_patient,
        sites=summary.sites,
        joined_sites={
            site: list(spellings) for site, spellings in summary.joined_sites.items()
        },
        splits=summary.splits,
        with_size=summary.with_size,
        sizes=sizes,
        rows=[_row(row) for row in manifest.rows],
        refused=[_refusal(row) for row in manifest.refused],
    )


def _row(row: Row) -> ManifestRow:
    return ManifestRow(
        line=row.line,
        image=row.name,
        mask=row.mask_name or None,
        malignant=row.malignant,
        fields=row.fields,
    )


def _refusal(row: RefusedRow) -> ManifestRefusal:
    error = error_item(row.error)
    return ManifestRefusal(
        line=row.line, image=row.name, code=error["code"], message=error["message"]
    )
