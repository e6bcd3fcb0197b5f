"""`./sera study`: the papers' experiment on a folder, without services."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.commands import application
from cli.output.progress import StageProgress
from cli.output.results import wide_console
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.learning import FittedModel
    from shared.study.report.page import Material
    from shared.study.results import Study

app = application()
INTERRUPTED = 130
"""What a shell gives a command that Ctrl-C ended."""


@app.command()
def study(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="Holds manifest.csv and the images.",
        ),
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Name of a recipe, e.g. light, or the path of a TOML file.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            file_okay=False, metavar="DIR", help="Where report, tables and bundle go."
        ),
    ],
    seed: Annotated[
        int, typer.Option(min=0, help="Equal seeds on equal data give equal figures.")
    ] = 0,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Phantoms, not patients.")
    ] = False,
) -> None:
    """Cross-validate everything the recipe can make of FOLDER; write DIR/report.html, CSV tables
    and DIR/bundle.

    FOLDER/manifest.csv: image,malignant,[mask],[patient],[site],[split], and a column reader_NAME
    for each person who judged the images: 0 or 1 for benign or malignant, or a rating, higher =
    more suspicious. Images of the split `test` are left out. Ctrl-C stops; the same command goes on
    where it was.
    """
    console = Console(stderr=True)
    try:
        made, model, material = experiment(
            folder, recipe, out, seed, synthetic, console
        )
        report = finish(made, model, material, out)
    except KeyboardInterrupt:
        console.print(
            "Stopped. The same command goes on where it was.", highlight=False
        )
        raise typer.Exit(INTERRUPTED) from None
    wide_console().print(summary(made))
    print(
        f"Rows left out: {len(made.left_out)}. Images skipped: {len(made.skipped)}. "
        f"Report: {report}"
    )


def experiment(
    folder: Path, recipe: str, out: Path, seed: int, synthetic: bool, console: Console
) -> "tuple[Study, FittedModel, Material]":
    """Run what has not been kept from an earlier run in the same place."""
    from shared.recipes import Shelf, load_recipe

    settings = Settings()
    own = Shelf(settings.recipes_dir)
    wanted = own.load(recipe) if own.has(recipe) else load_recipe(recipe)

    from shared.networks import WeightsFinder
    from shared.study.checkpoints import FolderCache
    from shared.study.folder import LabelledFolder
    from shared.study.report.page import Material

    labelled = LabelledFolder.open(folder)
    weights = WeightsFinder(settings.weights_dir, settings.home / "cache" / "weights")

    from shared.study.experiment import run_experiment

    with StageProgress(console) as progress:
        cache = FolderCache(out / "cache")
        made, model = run_experiment(
            labelled, wanted, weights, cache=cache, progress=progress, seed=seed
        )
    return made, model, Material.of(labelled, synthetic)


def finish(
    made: "Study", model: "FittedModel", material: "Material", out: Path
) -> Path:
    """Bundle, tables and report, the report last; returns its path."""
    from shared.study.replacing import save_bundle
    from shared.study.report.page import write_report

    save_bundle(model, out / "bundle", synthetic=material.synthetic)
    return write_report(made, material, out)


def summary(made: "Study") -> Table:
    """The best judge by AUC of each table, the model last, and the people."""
    from shared.study.report.figures import best_of_each, in_section, measure
    from shared.study.report.wording import TITLES, area, area_interval, percent
    from shared.study.results import Section

    shown = Table(
        "judge",
        "table",
        "n",
        "AUC",
        "95 %",
        "sensitivity",
        "specificity",
        box=None,
        pad_edge=False,
    )
    for row in (*best_of_each(made), *in_section(made, Section.READERS)):
        found = measure(row, made.malignant)
        interval = found.area.interval if found.area else None
        shown.add_row(
            escape(row.name),
            TITLES[row.section],
            str(found.images),
            area(found.area.value) if found.area else "-",
            area_interval(interval) if interval else "-",
            percent(found.table.sensitivity),
            percent(found.table.specificity),
            style="bold" if row.section is Section.MODEL else None,
        )
    return shown
