"""`./sera submit`: submit one image and print its result."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.commands import application
from cli.connection import connect
from cli.output.results import descriptor_sentences, result_sentences
from cli.output.terminal import Console, print_json
from cli.work.submission import CaseFile, submit_and_wait
from shared.domain.image_source import ImageSource
from shared.domain.jobs import Priority
from shared.domain.roi_space import RoiSpace
from shared.domain.roles import Role
from shared.domain.typed_sizes import parse_size_mm
from shared.errors import InputError
from shared.guidelines import DESCRIPTORS_EXAMPLE

app = application()


class DescriptorsFileMissing(InputError):
    code = "descriptors-file-missing"
    text = (
        "--descriptors takes a JSON object or a file that holds one, and there is no such file. "
        "Check the path, or write e.g. --descriptors '{example}'."
    )


class RoiArgumentInvalid(InputError):
    code = "roi-argument-invalid"
    text = (
        "--roi takes four numbers, X,Y,W,H in pixels of the upright image, e.g. "
        "--roi 40,30,180,160."
    )


ImageFile = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        help="PNG, JPEG, BMP, TIFF, WebP, HEIC or DICOM.",
    ),
]
SizeOption = Annotated[
    str,
    typer.Option(
        "--size-mm",
        help="Largest diameter of the nodule: 14.5, 14,5 mm, 1.2 cm; mm without a unit.",
    ),
]
RoiOption = Annotated[
    str | None,
    typer.Option(help="Region of interest as X,Y,W,H in pixels of the upright image."),
]
RoiSpaceOption = Annotated[
    RoiSpace,
    typer.Option(
        help="`stored` if --roi is in the pixels that the file holds, before EXIF turns them."
    ),
]
FrameOption = Annotated[
    int | None,
    typer.Option(min=1, help="Frame of a DICOM loop, from 1; else the middle one."),
]
UrgentOption = Annotated[bool, typer.Option("--urgent", help="Ahead of routine cases.")]
PhotoOption = Annotated[
    bool,
    typer.Option("--photo", help="It is a photo of a screen; the result says so."),
]
DescriptorsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|JSON", help="What you see, in the terms of the ACR lexicon."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the job as JSON.")]


@app.command()
def submit(
    image: ImageFile,
    size_mm: SizeOption,
    roi: RoiOption = None,
    roi_space: RoiSpaceOption = RoiSpace.UPRIGHT,
    frame: FrameOption = None,
    urgent: UrgentOption = False,
    photo: PhotoOption = False,
    descriptors: DescriptorsOption = None,
    as_json: AsJson = False,
) -> None:
    """Submit an image, wait for the answer and print it."""
    priority = Priority.URGENT if urgent else Priority.ROUTINE
    source = ImageSource.PHOTO if photo else None
    case = CaseFile(
        name=image.name,
        data=image.read_bytes(),
        size_mm=parse_size_mm(size_mm),
        roi=roi_json(roi),
        roi_space=roi_space if roi else None,
        priority=priority,
        frame=frame,
        source=source,
        descriptors=read_descriptors(descriptors),
    )
    with connect(Role.SUBMITTER) as api:
        job = submit_and_wait(api, case, report_waiting)
        assessment = None
        if case.descriptors:
            assessment = api.get(f"/v1/cases/{job['case_id']}")["reader_assessment"]
    if as_json:
        print_json(job)
    else:
        print_sentences(result_sentences(job) + descriptor_sentences(assessment))
    if job["state"] != "done":
        raise typer.Exit(1)


def print_sentences(sentences: list[str]) -> None:
    text = "\n".join(sentences)
    Console().print(text, soft_wrap=True, highlight=False, markup=False)


def report_waiting(job: dict[str, Any]) -> None:
    """Print why there is no result yet, for example because no model is live."""
    sentence = (
        f"The case is still {job['state']}. It waits until a model is live and a worker "
        "free: ./sera models list"
    )
    Console(stderr=True).print(sentence, soft_wrap=True, highlight=False)


def read_descriptors(argument: str | None) -> str | None:
    """The argument if it is JSON, else the content of the file that it names."""
    if argument is None or argument.lstrip().startswith("{"):
        return argument
    if not Path(argument).is_file():
        raise DescriptorsFileMissing(example=json.dumps(DESCRIPTORS_EXAMPLE))
    return Path(argument).read_text(encoding="utf-8")


def roi_json(roi: str | None) -> str | None:
    """Convert `X,Y,W,H` to the JSON that the API expects."""
    if roi is None:
        return None
    try:
        x, y, width, height = (float(part) for part in roi.split(","))
    except ValueError as error:
        raise RoiArgumentInvalid from error
    return json.dumps({"box": [x, y, width, height]})
