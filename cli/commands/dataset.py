"""`./sera dataset`: labelled images in, put into parts, frozen."""

import json
import os
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.commands import application
from cli.connection import ApiClient, connect
from cli.output.results import wide_console
from cli.work.dataset_import import Outcome, add_all
from shared.domain.datasets.manifest import (
    MANIFEST,
    ManifestInvalid,
    Row,
    read_manifest,
)
from shared.domain.roles import Role
from shared.domain.training.states import Split
from shared.errors import InputError, SeraError

app = application()
T = TypeVar("T")
Name = Annotated[str, typer.Argument(help="Name of the dataset.")]
Image = Annotated[str, typer.Argument(help="The image file, or its SHA-256.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Revision = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Only if the draft is as it was then; `./sera dataset show` tells it.",
    ),
]


class SplitBy(StrEnum):
    PATIENT = "patient"
    SITE = "site"


class ImageUnnamed(InputError):
    code = "image-unnamed"
    text = (
        "{told!r} is neither a file here nor the SHA-256 of one (64 letters 0-9 a-f)."
    )


@app.callback()
def datasets() -> None:
    """Labelled images to train on."""


@app.command("import")
def import_folder(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, help="Holds manifest.csv and the images."
        ),
    ],
    name: Annotated[
        str, typer.Option(help="Name of the dataset; added to if it is there.")
    ],
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Phantoms, not patients.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import FOLDER/manifest.csv:
    image,malignant,[mask],[patient],[site],[size_mm],[split],[tirads].

    Images that the dataset has are not sent again, so an import that was broken off goes on where
    it was.
    """
    rows = read_manifest(folder)
    if not rows:
        raise ManifestInvalid(path=folder / MANIFEST, problem="it has no rows")
    with connect(Role.OPERATOR) as api:
        api.post("/v1/datasets", json={"name": name, "synthetic": synthetic})
        told = list(watched(add_all(api, name, rows), len(rows)))
        held = api.get(f"/v1/datasets/{name}")
    imported = import_summary(folder, name, told, held)
    if as_json:
        print(json.dumps(imported, indent=2))
    else:
        Console().print(
            "\n".join(import_sentences(imported)),
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    if imported["refused"]:
        raise typer.Exit(1)


@app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """All datasets, by name."""
    with connect(Role.OPERATOR) as api:
        found = api.get("/v1/datasets")
    if as_json:
        print(json.dumps(found, indent=2))
        return
    rows: list[tuple[str, ...]] = [
        (
            each["name"],
            str(each["images"]),
            str(each["malignant"]),
            str(each["versions"]),
            _kind(each),
        )
        for each in found
    ]
    table = _table(("dataset", "images", "malignant", "versions", "data"), rows)
    wide_console().print(
        table
        if rows
        else "No dataset yet. Make one: ./sera dataset import FOLDER --name NAME"
    )


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """What the next version of a dataset would hold, by part and site."""
    with connect(Role.OPERATOR) as api:
        found = api.get(f"/v1/datasets/{name}")
    if as_json:
        print(json.dumps(found, indent=2))
        return
    counts = (
        *_count(found),
        f"{found['versions']} versions, {_kind(found)} data, revision {found['revision']}.",
    )
    rows = [
        (each["split"], each["site"] or "-", *map(str, _labels(each)))
        for each in found["shares"]
    ]
    wide_console().print(f"{name}: {', '.join(counts)}", highlight=False)
    wide_console().print(_table(("part", "site", "benign", "malignant"), rows))


@app.command()
def split(
    name: Name,
    by: Annotated[
        SplitBy, typer.Option(help="Whole patients by lot, or whole sites by name.")
    ] = SplitBy.PATIENT,
    test_share: Annotated[
        float | None, typer.Option(help="By patient: share of the test part; 0.2.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="By patient: equal seeds draw equal parts; 0.")
    ] = None,
    sites: Annotated[
        str | None, typer.Option(help="By site: those held back as test, as A,B.")
    ] = None,
    revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """Put every image into `train` or `test`; what a frozen version holds stays where it is."""
    body = {
        "by": by,
        "test_share": test_share,
        "seed": seed,
        "sites": sites and sites.split(","),
    }
    with connect(Role.OPERATOR) as api:
        parted = api.post(
            f"/v1/datasets/{name}/split", etag=_tag(api, name, revision), json=body
        )
    _say(parted, as_json, f"{name}: {', '.join(parting(parted))}.")


@app.command()
def freeze(name: Name, revision: Revision = None, as_json: AsJson = False) -> None:
    """Freeze a dataset into a version that never changes; unchanged, it gives the version it has."""
    with connect(Role.OPERATOR) as api:
        version = api.post(
            f"/v1/datasets/{name}/versions", etag=_tag(api, name, revision)
        )
    counts = f"{', '.join(_count(version))}, {version['test_images']} in the locked test set."
    known = "" if version["new"] else " is unchanged since"
    _say(
        version,
        as_json,
        f"{name}{known} version {version['number']} ({version['fingerprint'][:12]}): {counts}",
    )


@app.command()
def versions(name: Name, as_json: AsJson = False) -> None:
    """A dataset's frozen versions, newest first, with what each changed."""
    with connect(Role.OPERATOR) as api:
        numbers = [each["number"] for each in api.get(f"/v1/datasets/{name}/versions")]
        found = [
            api.get(f"/v1/datasets/{name}/versions/{number}") for number in numbers
        ]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    head = (
        "version",
        "images",
        "malignant",
        "test",
        "changed",
        "fingerprint",
        "frozen (UTC)",
        "by",
    )
    table = _table(head, [_version(each) for each in found])
    wide_console().print(
        table if found else f"No version yet. Freeze one: ./sera dataset freeze {name}"
    )


@app.command()
def correct(
    name: Name,
    image: Image,
    malignant: Annotated[
        bool | None, typer.Option("--malignant/--benign", help="The label.")
    ] = None,
    patient: Annotated[
        str | None, typer.Option(help='The hospital\'s number; "" to forget it.')
    ] = None,
    site: Annotated[
        str | None, typer.Option(help='The hospital; "" to forget it.')
    ] = None,
    part: Annotated[Split | None, typer.Option("--split", help="Its part.")] = None,
    revision: Revision = None,
) -> None:
    """Correct an image's label, patient, site or part in what the next version will hold."""
    told = {"malignant": malignant, "patient": patient, "site": site, "split": part}
    body = {column: value for column, value in told.items() if value is not None}
    with connect(Role.OPERATOR) as api:
        tag = _tag(api, name, revision)
        print(
            json.dumps(
                api.put(
                    f"/v1/datasets/{name}/images/{digest(image)}", etag=tag, json=body
                ),
                indent=2,
            )
        )


@app.command()
def remove(name: Name, image: Image, revision: Revision = None) -> None:
    """Take an image out of what the next version will hold; frozen versions keep it."""
    with connect(Role.OPERATOR) as api:
        tag = _tag(api, name, revision)
        print(
            json.dumps(
                api.delete(f"/v1/datasets/{name}/images/{digest(image)}", etag=tag),
                indent=2,
            )
        )


@app.command()
def take_outcomes(
    name: Name,
    since: Annotated[
        str | None,
        typer.Option(help="Only outcomes recorded from this day on, e.g. 2026-01-31."),
    ] = None,
    hospital: Annotated[str | None, typer.Option(help="Only this hospital's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring cases whose outcome is known, with consent, into a dataset; drop those whose consent
    was withdrawn.
    """
    with connect(Role.OPERATOR) as api:
        which = {"since": since, "hospital": hospital}
        taken = api.post(
            f"/v1/datasets/{name}/outcomes",
            etag=api.fetch_etag(f"/v1/datasets/{name}"),
            json=which,
        )
    _say(taken, as_json, "\n".join(taking(name, taken)))


def import_summary(
    folder: Path, name: str, told: list[tuple[Row, Outcome]], held: dict[str, Any]
) -> dict[str, Any]:
    """What an import did, as JSON has it; refused rows in the order of the manifest."""
    refused = [
        (row, outcome) for row, outcome in told if isinstance(outcome, SeraError)
    ]
    new = sum(outcome is True for _, outcome in told)
    return {
        "dataset": name,
        "added": new,
        "known": len(told) - new - len(refused),
        "refused": [
            _refused(folder, row, why)
            for row, why in sorted(refused, key=lambda each: each[0].line)
        ],
        "images": held["images"],
        "malignant": held["malignant"],
    }


def import_sentences(imported: dict[str, Any]) -> list[str]:
    refused = imported["refused"]
    return [
        (
            f"{imported['dataset']}: {imported['added']} new, {imported['known']} already "
            f"there, {len(refused)} refused."
        ),
        f"It holds {', '.join(_count(imported))}.",
        *(
            f"  line {each['line']} ({each['image']}): {each['message']}"
            for each in refused
        ),
    ]


def parting(parted: dict[str, Any]) -> list[str]:
    """What a split did, in words; of frozen versions only where they hold something."""
    words = [f"{parted[name]} {name}" for name in ("train", "test", "moved")]
    held = (
        f"{parted['fixed']} held by frozen versions ({parted['overruled']} of them in the "
        "other part)"
    )
    return [*words, held] if parted["fixed"] else words


def taking(name: str, taken: dict[str, Any]) -> list[str]:
    """What taking outcomes did, in words; of what was withdrawn, which versions keep it."""
    gone = taken["withdrawn"]
    refused = taken["refused"]
    counts = (
        f"{taken['added']} added, {taken['corrected']} corrected, {len(gone)} withdrawn, "
        f"{len(refused)} refused."
    )
    kept = [f"  {each['case_id']}: {_kept(each['versions'])}" for each in gone]
    return [
        f"{name}: {counts}",
        *kept,
        *(f"  {each['case_id']}: {each['message']}" for each in refused),
    ]


def digest(image: str) -> str:
    """The SHA-256 of a file, or the one that was given."""
    if Path(image).is_file():
        return sha256(Path(image).read_bytes()).hexdigest()
    if len(image) == 64 and set(image) <= set("0123456789abcdef"):
        return image
    raise ImageUnnamed(told=image)


def watched(outcomes: Iterable[T], count: int) -> Iterable[T]:
    """With a progress bar, where somebody looks."""
    console = Console(stderr=True)
    return track(
        outcomes,
        "importing",
        total=count,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _tag(api: ApiClient, name: str, revision: int | None) -> str | None:
    """The draft that is meant: as somebody saw it, else as it is now."""
    return api.fetch_etag(f"/v1/datasets/{name}") if revision is None else f'"{revision}"'


def _say(told: dict[str, Any], as_json: bool, words: str) -> None:
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        Console().print(words, soft_wrap=True, markup=False, highlight=False)


def _refused(folder: Path, row: Row, why: SeraError) -> dict[str, Any]:
    return {
        "line": row.line,
        "image": os.path.relpath(row.image, folder),
        "code": why.code,
        "message": str(why),
    }


def _kept(versions: list[int]) -> str:
    return (
        f"still in version {', '.join(map(str, versions))}, which cannot change"
        if versions
        else "in no version"
    )


def _count(told: dict[str, Any]) -> tuple[str, str]:
    return (
        f"{told['images']} {'image' if told['images'] == 1 else 'images'}",
        f"{told['malignant']} malignant",
    )


def _labels(share: dict[str, Any]) -> tuple[int, int]:
    return share["images"] - share["malignant"], share["malignant"]


def _kind(dataset: dict[str, Any]) -> str:
    return "synthetic" if dataset["synthetic"] else "clinical"


def _version(told: dict[str, Any]) -> tuple[str, ...]:
    changes = told["difference"] or {}
    words = [
        f"{changes[name]} {name}"
        for name in ("added", "removed", "relabelled", "changed")
        if changes.get(name)
    ]
    counts = (
        str(told[name]) for name in ("number", "images", "malignant", "test_images")
    )
    made = told["created_at"][:16].replace("T", " ")
    return (
        *counts,
        ", ".join(words) or "-",
        told["fingerprint"][:12],
        made,
        told["actor"],
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    return table
