"""`./sera dataset`: import labelled images, split them, freeze versions."""

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.progress import track
from rich.table import Table

from cli.commands import application
from cli.connection import ApiClient, connect
from cli.output.dataset_import import (
    image_counts,
    import_sentences,
    import_summary,
    print_lines,
    report_trial,
    table_facts,
)
from cli.output.results import wide_console
from cli.output.terminal import Console, print_json
from cli.work.dataset_import import Importer
from shared.domain.datasets.manifest import (
    MANIFEST_FILE,
    ManifestInvalid,
    read_manifest,
)
from shared.domain.messages import Message
from shared.domain.roles import Role
from shared.domain.training.states import Split
from shared.errors import InputError

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
Folder = Annotated[
    Path,
    typer.Argument(
        exists=True, file_okay=False, help="Holds manifest.csv and the images."
    ),
]
NewName = Annotated[
    str, typer.Option(help="Name of the dataset; added to if it is there.")
]
Synthetic = Annotated[bool, typer.Option("--synthetic", help="Phantoms, not patients.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what an import would do, and change nothing."),
]
ThumbnailsFile = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        metavar="FILE.png",
        help="Of a dry run: where a picture of the first images goes.",
    ),
]


class SplitBy(StrEnum):
    PATIENT = "patient"
    SITE = "site"


class ThumbnailsWithoutDryRun(InputError):
    code = "thumbnails-without-dry-run"
    text = "--thumbnails shows what an import would read. Add --dry-run."


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
    folder: Folder,
    name: NewName,
    synthetic: Synthetic = False,
    dry_run: DryRun = False,
    thumbnails: ThumbnailsFile = None,
    as_json: AsJson = False,
) -> None:
    """Import FOLDER/manifest.csv:
    image,malignant,[mask],[patient],[site],[size_mm],[split],[tirads].

    Images that the dataset has are not sent again, so an import that was broken off goes on where
    it was.
    """
    if thumbnails is not None and not dry_run:
        raise ThumbnailsWithoutDryRun
    manifest = read_manifest(folder)
    path = folder / MANIFEST_FILE
    if not manifest.row_count:
        raise ManifestInvalid(path=path, problem=Message("table-no-rows"))
    query = "?dry_run=true" if dry_run else ""
    with connect(Role.OPERATOR) as api:
        body = {"name": name, "synthetic": synthetic}
        dataset = api.post(f"/v1/datasets{query}", json=body)
        importer = Importer(api, name, dry_run=dry_run)
        outcomes = list(
            with_progress_bar(
                importer.import_rows(manifest.rows), count=len(manifest.rows)
            )
        )
        if not dry_run:
            dataset = api.get(f"/v1/datasets/{name}")
    imported = import_summary(folder, manifest, outcomes, importer.warnings, dataset)
    if dry_run:
        imported |= {"dry_run": True, "table": table_facts(manifest)}
        report_trial(imported, importer.thumbnails, thumbnails, as_json=as_json)
    elif as_json:
        print_json(imported)
    else:
        print_lines(import_sentences(imported, manifest))
    if imported["refused"]:
        raise typer.Exit(1)


@app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """All datasets, by name."""
    with connect(Role.OPERATOR) as api:
        datasets = api.get_list("/v1/datasets")
    if as_json:
        print_json(datasets)
        return
    if not datasets:
        wide_console().print(
            "No dataset yet. Make one: ./sera dataset import FOLDER --name NAME"
        )
        return
    table = Table("dataset", "images", "malignant", "versions", "data")
    for dataset in datasets:
        table.add_row(
            dataset["name"],
            str(dataset["images"]),
            str(dataset["malignant"]),
            str(dataset["versions"]),
            data_kind(dataset),
        )
    wide_console().print(table)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """What the next version of a dataset would hold, by part and site."""
    with connect(Role.OPERATOR) as api:
        dataset = api.get(f"/v1/datasets/{name}")
    if as_json:
        print_json(dataset)
        return
    counts = [
        *image_counts(dataset),
        f"{dataset['versions']} versions, {data_kind(dataset)} data, "
        f"revision {dataset['revision']}.",
    ]
    table = Table("part", "site", "benign", "malignant")
    for share in dataset["shares"]:
        benign = share["images"] - share["malignant"]
        site = share["site"] or "-"
        table.add_row(share["split"], site, str(benign), str(share["malignant"]))
    wide_console().print(f"{name}: {', '.join(counts)}", highlight=False)
    wide_console().print(table)


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
        etag = draft_etag(api, name, revision)
        report = api.post(f"/v1/datasets/{name}/split", etag=etag, json=body)
    print_facts(report, f"{name}: {', '.join(split_counts(report))}.", as_json)


@app.command()
def freeze(name: Name, revision: Revision = None, as_json: AsJson = False) -> None:
    """Freeze a dataset into a version that never changes; unchanged, it gives the version it
    has.
    """
    with connect(Role.OPERATOR) as api:
        etag = draft_etag(api, name, revision)
        version = api.post(f"/v1/datasets/{name}/versions", etag=etag)
    unchanged = "" if version["new"] else " is unchanged since"
    counts = ", ".join(image_counts(version))
    sentence = (
        f"{name}{unchanged} version {version['number']} ({version['fingerprint'][:12]}): "
        f"{counts}, {version['test_images']} in the locked test set."
    )
    print_facts(version, sentence, as_json)


@app.command()
def versions(name: Name, as_json: AsJson = False) -> None:
    """A dataset's frozen versions, newest first, with what each changed."""
    path = f"/v1/datasets/{name}/versions"
    with connect(Role.OPERATOR) as api:
        numbers = [listed["number"] for listed in api.get_list(path)]
        versions = [api.get(f"{path}/{number}") for number in numbers]
    if as_json:
        print_json(versions)
        return
    if not versions:
        wide_console().print(
            f"No version yet. Freeze one: ./sera dataset freeze {name}"
        )
        return
    columns = (
        "version",
        "images",
        "malignant",
        "test",
        "changed",
        "fingerprint",
        "frozen (UTC)",
        "by",
    )
    table = Table(*columns)
    for version in versions:
        table.add_row(*version_cells(version))
    wide_console().print(table)


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
    columns = {"malignant": malignant, "patient": patient, "site": site, "split": part}
    changes = {name: value for name, value in columns.items() if value is not None}
    path = f"/v1/datasets/{name}/images/{digest(image)}"
    with connect(Role.OPERATOR) as api:
        etag = draft_etag(api, name, revision)
        row = api.put(path, etag=etag, json=changes)
    print_json(row)


@app.command()
def remove(name: Name, image: Image, revision: Revision = None) -> None:
    """Take an image out of what the next version will hold; frozen versions keep it."""
    path = f"/v1/datasets/{name}/images/{digest(image)}"
    with connect(Role.OPERATOR) as api:
        etag = draft_etag(api, name, revision)
        row = api.delete(path, etag=etag)
    print_json(row)


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
    path = f"/v1/datasets/{name}"
    filters = {"since": since, "hospital": hospital}
    with connect(Role.OPERATOR) as api:
        etag = api.fetch_etag(path)
        report = api.post(f"{path}/outcomes", etag=etag, json=filters)
    print_facts(report, "\n".join(outcome_import_sentences(name, report)), as_json)


def split_counts(report: dict[str, Any]) -> list[str]:
    """Return the result of a split in words. Frozen versions are mentioned only if they contain
    some of the images.
    """
    counts = [f"{report[name]} {name}" for name in ("train", "test", "moved")]
    if report["fixed"]:
        counts.append(
            f"{report['fixed']} held by frozen versions ({report['overruled']} of them in "
            "the other part)"
        )
    return counts


def outcome_import_sentences(name: str, report: dict[str, Any]) -> list[str]:
    """Return the result of an import of outcomes in words. For withdrawn cases the versions that
    keep them are named.
    """
    withdrawn = report["withdrawn"]
    refused = report["refused"]
    sentences = [
        f"{name}: {report['added']} added, {report['corrected']} corrected, "
        f"{len(withdrawn)} withdrawn, {len(refused)} refused."
    ]
    for case in withdrawn:
        sentences.append(f"  {case['case_id']}: {versions_phrase(case['versions'])}")
    for case in refused:
        sentences.append(f"  {case['case_id']}: {case['message']}")
    return sentences


def digest(image: str) -> str:
    """Return the SHA-256 of a file, or `image` itself if it is a SHA-256."""
    if Path(image).is_file():
        return sha256(Path(image).read_bytes()).hexdigest()
    if len(image) == 64 and set(image) <= set("0123456789abcdef"):
        return image
    raise ImageUnnamed(told=image)


def with_progress_bar(outcomes: Iterable[T], count: int) -> Iterable[T]:
    """Pass the outcomes through; show a progress bar if stderr is a terminal."""
    console = Console(stderr=True)
    return track(
        outcomes,
        "importing",
        total=count,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def draft_etag(api: ApiClient, name: str, revision: int | None) -> str | None:
    """Return the ETag of the draft at the given revision, or of the current draft if `revision` is
    None.
    """
    if revision is not None:
        return f'"{revision}"'
    return api.fetch_etag(f"/v1/datasets/{name}")


def print_facts(facts: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        Console().print(text, soft_wrap=True, markup=False, highlight=False)


def versions_phrase(versions: list[int]) -> str:
    if not versions:
        return "in no version"
    numbers = ", ".join(str(version) for version in versions)
    return f"still in version {numbers}, which cannot change"


def data_kind(dataset: dict[str, Any]) -> str:
    return "synthetic" if dataset["synthetic"] else "clinical"


def version_cells(version: dict[str, Any]) -> list[str]:
    difference = version["difference"] or {}
    changes = []
    for name in ("added", "removed", "relabelled", "changed"):
        if difference.get(name):
            changes.append(f"{difference[name]} {name}")
    return [
        str(version["number"]),
        str(version["images"]),
        str(version["malignant"]),
        str(version["test_images"]),
        ", ".join(changes) or "-",
        version["fingerprint"][:12],
        version["created_at"][:16].replace("T", " "),
        version["actor"],
    ]
