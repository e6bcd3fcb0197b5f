"""`./sera dataset`: labelled images in."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import track

from cli.commands import application
from cli.connection import connect
from cli.importing import Refusal, add_all
from shared.domain.roles import Role
from shared.manifest import Row, read_manifest

app = application()
SHOWN = 20
T = TypeVar("T")


@app.callback()
def datasets() -> None:
    """Labelled images to train on."""


@app.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Holds manifest.csv and the images.")],
    name: Annotated[str, typer.Option(help="Name of the dataset; added to if it is there.")],
    synthetic: Annotated[bool, typer.Option("--synthetic", help="Phantoms, not patients.")] = False,
) -> None:
    """Import FOLDER/manifest.csv: image,malignant,[mask],[patient],[site],[size_mm],[split],[tirads]."""
    console, rows = Console(), read_manifest(folder)
    refused: list[tuple[Row, Refusal]] = []
    new = 0
    with connect(Role.OPERATOR) as api:
        api.post("/v1/datasets", json={"name": name, "synthetic": synthetic})
        for row, outcome in watched(add_all(api, name, rows), len(rows)):
            if isinstance(outcome, Refusal):
                refused.append((row, outcome))
            else:
                new += outcome
        held = api.get(f"/v1/datasets/{name}")
    console.print(
        f"{name}: {new} new, {len(rows) - new - len(refused)} already there, {len(refused)} refused.", soft_wrap=True
    )
    noun = "image" if held["images"] == 1 else "images"
    console.print(f"It holds {held['images']} {noun}, {held['malignant']} malignant.")
    for row, refusal in refused[:SHOWN]:
        named = os.path.relpath(row.image, folder)
        console.print(f"  line {row.line} ({named}): {refusal}", soft_wrap=True, markup=False)
    if len(refused) > SHOWN:
        console.print(f"  and {len(refused) - SHOWN} more.")
    if refused:
        raise typer.Exit(1)


def watched(outcomes: Iterable[T], count: int) -> Iterable[T]:
    """With a progress bar, where somebody looks."""
    console = Console(stderr=True)
    shown = {"console": console, "transient": True, "disable": not console.is_terminal}
    return track(outcomes, "importing", total=count, **shown)
