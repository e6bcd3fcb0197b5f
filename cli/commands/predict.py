"""`./sera predict`: a bundle on images, without services."""

import json
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
from cli.results import wide_console
from shared.errors import InputError, SeraError
from shared.manifest import read_table

if TYPE_CHECKING:
    from shared.bundles import Bundle
    from shared.imaging import Framing, Nodule
    from shared.learning import Prediction

app = application()
AT_ONCE = 32
"""Images that are in memory at the same time."""


class NothingToPredict(InputError):
    code = "nothing-to-predict"
    text = "There is no image to predict. Name images, or a manifest that lists some with --manifest FILE."


@dataclass(frozen=True)
class Asked:
    """An image as it was named, and its files."""

    name: str
    image: Path
    mask: Path | None = None


@app.command()
def predict(
    bundle: Annotated[
        Path, typer.Option(metavar="DIR", help="The bundle's folder, e.g. DIR/bundle of a study.")
    ],
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="PNG, JPEG, BMP, TIFF, DICOM.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE",
            help="CSV with the columns image,[mask]; paths relative to it.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print score, risk and decision of each image, in the order given. Exits with 1 if an image cannot be read.

    The risk holds at the share of malignant images that the bundle was trained on.
    """
    asked = wanted(images or [], manifest)

    from shared.bundles import load

    outcomes = list(watched(answers(asked, load(bundle)), len(asked)))
    told = [answer(one, outcome) for one, outcome in zip(asked, outcomes, strict=True)]
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        wide_console().print(table(told))
    if any("error" in one for one in told):
        raise typer.Exit(1)


def wanted(images: Sequence[str], manifest: Path | None) -> list[Asked]:
    """What is named on the command line, then the manifest's images; raises NothingToPredict, ManifestInvalid."""
    asked = [Asked(name, Path(name)) for name in images]
    if manifest:
        asked += [
            Asked(row.name, row.image, row.mask) for row in read_table(manifest, needed=("image",))
        ]
    if not asked:
        raise NothingToPredict
    return asked


def answers(asked: Sequence[Asked], bundle: "Bundle") -> "Iterator[Prediction | SeraError]":
    """For each image its prediction or why there is none, a batch at a time."""
    for start in range(0, len(asked), AT_ONCE):
        batch = asked[start : start + AT_ONCE]
        yield from bundle.predict_each([loaded(one, bundle.framing) for one in batch])


def loaded(asked: Asked, framing: "Framing") -> "Nodule | SeraError":
    from shared.imaging.files import read_nodule

    try:
        return read_nodule(asked.image, asked.mask, framing)
    except SeraError as error:
        return error


def answer(asked: Asked, outcome: "Prediction | SeraError") -> dict[str, Any]:
    """What programs get for one image."""
    if isinstance(outcome, SeraError):
        return {"image": asked.name, "error": {"code": outcome.code, "message": str(outcome)}}
    return {
        "image": asked.name,
        "score": outcome.score,
        "risk": outcome.risk,
        "decision": str(outcome.decision),
    }


def table(told: Sequence[dict[str, Any]]) -> Table:
    shown = Table(box=None, pad_edge=False)
    shown.add_column("image", overflow="fold")
    for name in ("score", "risk"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("decision", overflow="fold")
    for one in told:
        if "error" in one:
            shown.add_row(escape(one["image"]), "-", "-", escape(one["error"]["message"]))
        else:
            shown.add_row(
                escape(one["image"]), f"{one['score']:.3f}", f"{one['risk']:.1%}", one["decision"]
            )
    return shown


def watched(
    outcomes: "Iterator[Prediction | SeraError]", count: int
) -> "Iterator[Prediction | SeraError]":
    """With a progress bar, where somebody looks."""
    console = Console(stderr=True)
    yield from track(
        outcomes,
        "predicting",
        total=count,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
