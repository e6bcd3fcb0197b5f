"""`./sera predict`: apply a bundle to images, without running services."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from cli.commands import application
from cli.output.results import (
    GUARANTEE,
    NO_ANSWER,
    PREVALENCES,
    STATEMENT_COLUMNS,
    statement_cells,
    wide_console,
)
from cli.output.terminal import Console, print_json
from shared.domain.datasets.manifest import Row, check_no_refused, read_table
from shared.domain.results.result import Result, Timings
from shared.domain.results.statement import MODEL_CAUTIONS, statement_of
from shared.domain.typed_sizes import parse_size_mm
from shared.errors import InputError, SeraError
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.bundles import Bundle
    from shared.cases.result import HospitalSettings
    from shared.imaging import Framing, Nodule

app = application()
BATCH_IMAGES = 32
"""Images that are in memory at the same time."""
COLUMNS = ("image", "size", *STATEMENT_COLUMNS, "score", "remarks")
RIGHT_ALIGNED = {"size", "score", "risk", "threshold"}
FOLDED = {"image", "remarks"}
CODES_IN_NOTES = {*MODEL_CAUTIONS, "size-not-given"}
"""Warnings that are printed once under the table and not in every row."""
BundleOption = Annotated[
    Path,
    typer.Option(
        metavar="DIR", help="The bundle's folder, e.g. DIR/bundle of a study."
    ),
]
Images = Annotated[
    list[str] | None,
    typer.Argument(metavar="IMAGE", help="PNG, JPEG, BMP, TIFF, WebP, HEIC, DICOM."),
]
ManifestOption = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        metavar="FILE",
        help="CSV with the columns image,[mask],[roi],[size_mm]; paths relative to it.",
    ),
]
SizeMm = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Largest diameter of the nodules that the manifest gives no size of: 14.5, 1.2 cm; "
        "mm without a unit.",
    ),
]
Prevalence = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Share of malignant nodules at which the risk is to hold, 0 to 1.  "
        "[default: SERA_PREVALENCE, 0.23]",
        show_default=False,
    ),
]
FnaRule = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="Rule of the FNA advice.  [default: SERA_FNA_RULE, risk-band/ACR-2017/1]",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class NothingToPredict(InputError):
    code = "nothing-to-predict"
    text = (
        "There is no image to predict. Name images, or a manifest that lists some with "
        "--manifest FILE."
    )


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """One image to predict: its name on the command line, its files and the nodule's size.

    `roi` is the JSON text of the manifest.
    """

    name: str
    image: Path
    mask: Path | None = None
    roi: str | None = None
    size_mm: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An image with its result, or with the error if it has no result."""

    file: ImageFile
    answer: Result | SeraError

    def to_json(self) -> dict[str, Any]:
        """The image's name with the fields of its result, or with its error."""
        if isinstance(self.answer, SeraError):
            error = {"code": self.answer.code, "message": str(self.answer)}
            return {"image": self.file.name, "error": error}
        return {"image": self.file.name, **self.answer.to_json()}


@app.command()
def predict(
    bundle: BundleOption,
    images: Images = None,
    manifest: ManifestOption = None,
    size_mm: SizeMm = None,
    prevalence: Prevalence = None,
    fna_rule: FnaRule = None,
    as_json: AsJson = False,
) -> None:
    """Print risk, decision and FNA advice for each image, in the order given. Exits with 1 if an
    image cannot be read.

    The answers are those that the service gives a hospital of this prevalence and rule. FNA advice
    needs the size.
    """
    typed_size_mm = None if size_mm is None else parse_size_mm(size_mm)
    files = image_files(images or [], manifest, typed_size_mm)
    settings = stated_settings(prevalence, fna_rule)

    from shared.bundles.first_load import load_from_outside

    answers = answer_images(files, load_from_outside(bundle), settings)
    outcomes = [
        Outcome(file=file, answer=answer)
        for file, answer in zip(
            files, with_progress_bar(answers, len(files)), strict=True
        )
    ]
    if as_json:
        print_json([outcome.to_json() for outcome in outcomes])
    else:
        print_table(outcomes, settings)
    if any(isinstance(outcome.answer, SeraError) for outcome in outcomes):
        raise typer.Exit(1)


def print_table(outcomes: Sequence["Outcome"], settings: "HospitalSettings") -> None:
    console = wide_console()
    console.print(table(outcomes))
    for line in notes(outcomes, settings):
        console.print(escape(line), soft_wrap=True)


def image_files(
    images: Sequence[str], manifest: Path | None, size_mm: float | None
) -> list[ImageFile]:
    """Return the images named on the command line, then the images of the manifest.

    Raises
    ------
    NothingToPredict, ManifestInvalid
    """
    files = [ImageFile(name=name, image=Path(name), size_mm=size_mm) for name in images]
    if manifest:
        table = read_table(manifest, required_columns=("image",))
        check_no_refused(table, manifest)
        if table.ignored_columns:
            columns = ", ".join(table.ignored_columns)
            notice = f"Ignored columns: {columns}."
            Console(stderr=True).print(notice, markup=False, highlight=False)
        files += [
            ImageFile(
                name=row.name,
                image=row.image,
                mask=row.mask,
                roi=row.fields.get("roi"),
                size_mm=listed_size(row) or size_mm,
            )
            for row in table.rows
        ]
    if not files:
        raise NothingToPredict
    return files


def listed_size(row: Row) -> float | None:
    """Return the size of a nodule in mm from the manifest, or None if the column is empty."""
    text = row.fields.get("size_mm")
    return None if text is None else float(text)


def stated_settings(
    prevalence: float | None, fna_rule: str | None
) -> "HospitalSettings":
    """Return the prevalence and rule of the command line. SERA's settings replace missing values.
    Raises ProbabilityInvalid, RuleUnknown.
    """
    from shared.cases.result import HospitalSettings

    defaults = Settings()
    return HospitalSettings(
        prevalence=defaults.prevalence if prevalence is None else prevalence,
        fna_rule=defaults.fna_rule if fna_rule is None else fna_rule,
        prevalence_assumed=prevalence is None,
    )


def answer_images(
    files: Sequence[ImageFile], bundle: "Bundle", settings: "HospitalSettings"
) -> Iterator[Result | SeraError]:
    """Yield the result of each image, or the error if an image has no result."""
    for start in range(0, len(files), BATCH_IMAGES):
        yield from answer_batch(files[start : start + BATCH_IMAGES], bundle, settings)


def answer_batch(
    files: Sequence[ImageFile], bundle: "Bundle", settings: "HospitalSettings"
) -> Iterator[Result | SeraError]:
    from shared.cases.model import model_facts
    from shared.cases.result import CaseFacts, make_result

    model = model_facts(bundle, name=bundle.model.recipe.name, version=None)
    prepared = [prepare_file(file, bundle.framing) for file in files]
    started = time.perf_counter()
    predictions = bundle.predict_each([nodule for nodule, _ in prepared])
    infer_ms = _elapsed_ms(started)
    for file, (nodule, prepare_ms), prediction in zip(
        files, prepared, predictions, strict=True
    ):
        if isinstance(nodule, SeraError):
            yield nodule
        elif isinstance(prediction, SeraError):
            yield prediction
        else:
            yield make_result(
                prediction,
                case=CaseFacts.from_nodule(nodule, size_mm=file.size_mm),
                settings=settings,
                model=model,
                timings=Timings(waited=0.0, prepare=prepare_ms, infer=infer_ms),
            )


def prepare_file(
    file: ImageFile, framing: "Framing"
) -> "tuple[Nodule | SeraError, float]":
    """Prepare an image. Returns the nodule or the error, and the duration in milliseconds."""
    from shared.cases.prepare import prepare
    from shared.domain.regular_files import read_file
    from shared.imaging import Roi

    started = time.perf_counter()
    nodule: Nodule | SeraError
    try:
        mask = read_file(file.mask) if file.mask else None
        roi = Roi.parse(file.roi) if file.roi else None
        nodule = prepare(read_file(file.image), framing, mask=mask, roi=roi)
    except SeraError as error:
        nodule = error
    return nodule, _elapsed_ms(started)


def table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(
            name,
            justify="right" if name in RIGHT_ALIGNED else "left",
            no_wrap=name not in FOLDED,
            overflow="fold" if name in FOLDED else "ellipsis",
        )
    for outcome in outcomes:
        table.add_row(escape(outcome.file.name), *outcome_cells(outcome))
    return table


def notes(outcomes: Sequence[Outcome], settings: "HospitalSettings") -> list[str]:
    """Return the sentences under the table, which are about all images."""
    results = [
        outcome.answer for outcome in outcomes if isinstance(outcome.answer, Result)
    ]
    prevalence = PREVALENCES[settings.prevalence_assumed]
    lines = [
        f"Risk where {100 * settings.prevalence:g} % of nodules are malignant ({prevalence}: "
        f"--prevalence); FNA by {settings.fna_rule} (--fna-rule)."
    ]
    if any(statement_of(result).risk_interval for result in results):
        lines.append(GUARANTEE)
    referred = sum(not statement_of(result).answered for result in results)
    if referred:
        lines.append(
            f"{NO_ANSWER}: no answer for {referred} of {len(outcomes)} images. Have a radiologist "
            "read them; --json has the figures that were computed."
        )
    without_size = sum(result.fna is None for result in results)
    if without_size:
        lines.append(
            f"No FNA advice for {without_size} of {len(outcomes)} images: their size was not "
            "given. Give the largest diameter with --size-mm, or as size_mm in the manifest."
        )
    if results:
        about_model = {
            warning.code: warning.message
            for warning in results[0].warnings
            if warning.code in MODEL_CAUTIONS
        }
        lines += about_model.values()
    return lines


def with_progress_bar(
    answers: Iterator[Result | SeraError], count: int
) -> Iterator[Result | SeraError]:
    """Pass the results through; show a progress bar if stderr is a terminal."""
    console = Console(stderr=True)
    yield from track(
        answers,
        "predicting",
        total=count,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def outcome_cells(outcome: Outcome) -> tuple[str, ...]:
    """Return the columns after the image's name."""
    size_mm = outcome.file.size_mm
    size = "-" if size_mm is None else f"{size_mm:g} mm"
    answer = outcome.answer
    if isinstance(answer, SeraError):
        dashes = ("-",) * (len(STATEMENT_COLUMNS) + 1)
        return size, *dashes, escape(str(answer))
    remarks = [
        warning.code
        for warning in answer.warnings
        if warning.code not in CODES_IN_NOTES
    ]
    return (
        size,
        *statement_cells(answer, risk_decimals=1),
        f"{answer.score:.3f}" if statement_of(answer).answered else "-",
        ", ".join(remarks),
    )


def _elapsed_ms(started: float) -> float:
    """Milliseconds since a reading of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000, 1)
