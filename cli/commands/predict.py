"""`./sera predict`: a bundle on images, without services."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from cli.commands import application
from cli.output.results import advice_cells, wide_console
from shared.domain.datasets.manifest import ManifestInvalid, Row, read_table
from shared.domain.results.result import Result, Timings
from shared.errors import InputError, SeraError
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.bundles import Bundle
    from shared.cases.result import HospitalSettings
    from shared.imaging import Framing, Nodule

app = application()
AT_ONCE = 32
"""Images that are in memory at the same time."""
SYNTHETIC = "synthetic-model"
COLUMNS = (
    "image",
    "size",
    "score",
    "risk",
    "decision",
    "FNA",
    "level",
    "threshold",
    "remarks",
)
RIGHT = {"size", "score", "risk", "threshold"}
FOLDED = {"image", "remarks"}
IN_NOTES = {SYNTHETIC, "size-not-given"}
"""Remarks that are made once, under the table."""


class NothingToPredict(InputError):
    code = "nothing-to-predict"
    text = (
        "There is no image to predict. Name images, or a manifest that lists some with "
        "--manifest FILE."
    )


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """An image as it was named, its files, and the nodule's size where it is known."""

    name: str
    image: Path
    mask: Path | None = None
    size_mm: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one image."""

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
    bundle: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="The bundle's folder, e.g. DIR/bundle of a study."
        ),
    ],
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE", help="PNG, JPEG, BMP, TIFF, DICOM."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE",
            help="CSV with the columns image,[mask],[size_mm]; paths relative to it.",
        ),
    ] = None,
    size_mm: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Largest diameter in mm of the nodules that the manifest gives no size of.",
        ),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of malignant nodules at which the risk is to hold, 0 to 1.  [default: "
            "SERA_PREVALENCE, 0.23]",
            show_default=False,
        ),
    ] = None,
    fna_rule: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="Rule of the FNA advice.  [default: SERA_FNA_RULE, risk-band/ACR-2017/1]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print risk, decision and FNA advice for each image, in the order given. Exits with 1 if an
    image cannot be read.

    The answers are those that the service gives a hospital of this prevalence and rule. FNA advice
    needs the size.
    """
    files = image_files(images or [], manifest, size_mm)
    settings = stated_settings(prevalence, fna_rule)

    from shared.bundles import load

    answers = with_progress(answer_images(files, load(bundle), settings), len(files))
    outcomes = [
        Outcome(file=file, answer=answer)
        for file, answer in zip(files, answers, strict=True)
    ]
    if as_json:
        print(json.dumps([outcome.to_json() for outcome in outcomes], indent=2))
    else:
        console = wide_console()
        console.print(table(outcomes))
        for line in notes(outcomes, settings):
            console.print(escape(line), soft_wrap=True)
    if any(isinstance(outcome.answer, SeraError) for outcome in outcomes):
        raise typer.Exit(1)


def image_files(
    images: Sequence[str], manifest: Path | None, size_mm: float | None
) -> list[ImageFile]:
    """What is named on the command line, then the manifest's images.

    Raises
    ------
    NothingToPredict, ManifestInvalid, SizeInvalid
    """
    from shared.guidelines.advice import check_size

    if size_mm is not None:
        check_size(size_mm)
    files = [ImageFile(name=name, image=Path(name), size_mm=size_mm) for name in images]
    if manifest:
        files += [
            ImageFile(
                name=row.name,
                image=row.image,
                mask=row.mask,
                size_mm=listed_size(row, manifest) or size_mm,
            )
            for row in read_table(manifest, needed=("image",))
        ]
    if not files:
        raise NothingToPredict
    return files


def listed_size(row: Row, manifest: Path) -> float | None:
    """The manifest's own size of a nodule in mm; None where the column is empty. Raises
    ManifestInvalid.
    """
    text = row.fields.get("size_mm")
    if text is None:
        return None
    try:
        size_mm = float(text)
    except ValueError:
        size_mm = math.nan
    if not (math.isfinite(size_mm) and size_mm > 0):
        problem = f"line {row.line} has the size_mm {text!r}, which is no number of mm above 0"
        raise ManifestInvalid(path=manifest, problem=problem)
    return size_mm


def stated_settings(
    prevalence: float | None, fna_rule: str | None
) -> "HospitalSettings":
    """What was asked for, else SERA's settings. Raises ProbabilityInvalid, RuleUnknown."""
    from shared.cases.result import HospitalSettings

    defaults = Settings()
    return HospitalSettings(
        prevalence=defaults.prevalence if prevalence is None else prevalence,
        fna_rule=defaults.fna_rule if fna_rule is None else fna_rule,
    )


def answer_images(
    files: Sequence[ImageFile], bundle: "Bundle", settings: "HospitalSettings"
) -> Iterator[Result | SeraError]:
    """For each image its result or why there is none, a batch at a time."""
    for start in range(0, len(files), AT_ONCE):
        yield from answer_batch(files[start : start + AT_ONCE], bundle, settings)


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
                case=CaseFacts.of(nodule, size_mm=file.size_mm),
                settings=settings,
                model=model,
                timings=Timings(waited=0.0, prepare=prepare_ms, infer=infer_ms),
            )


def prepare_file(
    file: ImageFile, framing: "Framing"
) -> "tuple[Nodule | SeraError, float]":
    """The nodule or why it cannot be read, and the milliseconds that it took."""
    from shared.cases.prepare import prepare
    from shared.imaging.files import read_file

    started = time.perf_counter()
    nodule: Nodule | SeraError
    try:
        mask = read_file(file.mask) if file.mask else None
        nodule = prepare(read_file(file.image), framing, mask=mask)
    except SeraError as error:
        nodule = error
    return nodule, _elapsed_ms(started)


def table(outcomes: Sequence[Outcome]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        shown.add_column(
            name,
            justify="right" if name in RIGHT else "left",
            no_wrap=name not in FOLDED,
            overflow="fold" if name in FOLDED else "ellipsis",
        )
    for outcome in outcomes:
        shown.add_row(escape(outcome.file.name), *_cells(outcome))
    return shown


def notes(outcomes: Sequence[Outcome], settings: "HospitalSettings") -> list[str]:
    """What holds for the whole table."""
    results = [
        outcome.answer for outcome in outcomes if isinstance(outcome.answer, Result)
    ]
    lines = [
        f"Risk where {100 * settings.prevalence:g} % of nodules are malignant (--prevalence); "
        f"FNA by {settings.fna_rule} (--fna-rule)."
    ]
    without_size = sum(result.fna is None for result in results)
    if without_size:
        lines.append(
            f"No FNA advice for {without_size} of {len(outcomes)} images: their size was not "
            "given. Give the largest "
            "diameter with --size-mm, or as size_mm in the manifest."
        )
    synthetic = (
        warning
        for result in results
        for warning in result.warnings
        if warning.code == SYNTHETIC
    )
    if warning := next(synthetic, None):
        lines.append(warning.message)
    return lines


def with_progress(
    answers: Iterator[Result | SeraError], count: int
) -> Iterator[Result | SeraError]:
    """With a progress bar, where somebody looks."""
    console = Console(stderr=True)
    yield from track(
        answers,
        "predicting",
        total=count,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _cells(outcome: Outcome) -> tuple[str, ...]:
    """The columns after the image's name."""
    size_mm = outcome.file.size_mm
    size = "-" if size_mm is None else f"{size_mm:g} mm"
    answer = outcome.answer
    if isinstance(answer, SeraError):
        return size, "-", "-", "-", "-", "-", "-", escape(str(answer))
    remarks = [
        warning.code for warning in answer.warnings if warning.code not in IN_NOTES
    ]
    return (
        size,
        f"{answer.score:.3f}",
        f"{answer.risk:.1%}",
        answer.decision,
        *advice_cells(answer.fna),
        ", ".join(remarks),
    )


def _elapsed_ms(started: float) -> float:
    """Milliseconds since a reading of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000, 1)
