"""`./sera study`: the papers' experiment on folders of images, without running services."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.commands import application
from cli.output.progress import StageProgress
from cli.output.results import wide_console
from cli.output.terminal import Console, print_line
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.learning import FittedModel
    from shared.study.report.page import DatasetDescription
    from shared.study.report.tables import Table as ReportTable
    from shared.study.results import Study

app = application()
AUC_COLUMNS = (2, 3)
"""Columns of the table of left-out sites whose intervals are shown, too."""
EXIT_INTERRUPTED = 130
"""The exit code that shells use for a command ended by Ctrl-C."""


@app.command()
def study(
    folders: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="FOLDER...",
            help="Holds manifest.csv and the images; each of several folders is a site.",
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
    """Cross-validate everything the recipe can make of the images; write DIR/report.html, CSV tables
    and DIR/bundle.

    FOLDER/manifest.csv: image,malignant,[mask],[patient],[site],[split], and a column reader_NAME
    for each person who judged the images: 0 or 1 for benign or malignant, or a rating, higher =
    more suspicious. Images of the split `test` are left out. Ctrl-C stops; the same command goes on
    where it was.

    With two sites or more, each is also judged by a model of the others: two hospitals are
    `./sera study HERE THERE`, or one folder with a column `site`.
    """
    console = Console(stderr=True)
    try:
        results, model, dataset = run_study(
            folders,
            recipe,
            output_folder=out,
            seed=seed,
            synthetic=synthetic,
            console=console,
        )
        report = save_results(results, model, dataset=dataset, output_folder=out)
    except KeyboardInterrupt:
        console.print(
            "Stopped. The same command goes on where it was.", highlight=False
        )
        raise typer.Exit(EXIT_INTERRUPTED) from None
    print_study(results, report)


def print_study(results: "Study", report: Path) -> None:
    console = wide_console()
    console.print(summary(results))
    if results.sites_out is not None:
        console.print()
        console.print(sites_out_summary(results))
        print_site_candidates(results, console)
    if results.roi_kinds:
        console.print()
        console.print(roi_kinds_summary(results))
    print_line(
        f"Rows left out: {len(results.missing_rows)}. Images skipped: {len(results.skipped)}. "
        f"Report: {report}"
    )


def run_study(
    folders: list[Path],
    recipe_name: str,
    *,
    output_folder: Path,
    seed: int,
    synthetic: bool,
    console: Console,
) -> "tuple[Study, FittedModel, DatasetDescription]":
    """Run the experiment. Results of an earlier run in the same output folder are reused."""
    from shared.recipes import RecipeDirectory, load_recipe

    settings = Settings()
    directory = RecipeDirectory(settings.recipes_dir)
    if directory.has(recipe_name):
        recipe = directory.load(recipe_name)
    else:
        recipe = load_recipe(recipe_name)

    from shared.networks import WeightsFinder
    from shared.study.checkpoints import FolderCache
    from shared.study.folder import LabelledFolder
    from shared.study.report.page import DatasetDescription

    labelled = LabelledFolder.open(*folders)
    if labelled.ignored_columns:
        columns = ", ".join(labelled.ignored_columns)
        console.print(f"Ignored columns: {columns}.", markup=False, highlight=False)
    weights = WeightsFinder(settings.weights_dir, settings.home / "cache" / "weights")
    cache = FolderCache(output_folder / "cache")
    cache.check_writable()

    from shared.study.experiment import run_experiment

    with StageProgress(console) as progress:
        results, model = run_experiment(
            labelled,
            recipe,
            weights,
            cache=cache,
            progress=progress,
            seed=seed,
        )
    return results, model, DatasetDescription.from_folder(labelled, synthetic)


def save_results(
    results: "Study",
    model: "FittedModel",
    *,
    dataset: "DatasetDescription",
    output_folder: Path,
) -> Path:
    """Write the bundle, the tables and then the report; return the path of the report."""
    from shared.study.replacing import save_bundle
    from shared.study.report.page import write_report

    save_bundle(model, output_folder / "bundle", synthetic=dataset.synthetic)
    return write_report(results, dataset, output_folder)


def summary(results: "Study") -> Table:
    """Return the best judge of each table by AUC, then the model, then the human readers."""
    from shared.study.report.figures import (
        best_row_per_section,
        compute_figures,
        rows_in_section,
    )
    from shared.study.report.wording import (
        SECTION_TITLES,
        format_auc,
        format_auc_interval,
        format_percent,
    )
    from shared.study.results import Section

    columns = ("judge", "table", "n", "AUC", "95 %", "sensitivity", "specificity")
    table = Table(*columns, box=None, pad_edge=False)
    best_rows = best_row_per_section(results)
    reader_rows = rows_in_section(results, Section.READERS)
    for row in (*best_rows, *reader_rows):
        measures = compute_figures(row, results.malignant)
        interval = measures.area.interval if measures.area else None
        table.add_row(
            escape(row.name),
            SECTION_TITLES[row.section],
            str(measures.images),
            format_auc(measures.area.value) if measures.area else "-",
            format_auc_interval(interval) if interval else "-",
            format_percent(measures.table.sensitivity),
            format_percent(measures.table.specificity),
            style="bold" if row.section is Section.MODEL else None,
        )
    return table


def sites_out_summary(results: "Study") -> Table:
    """Return each site's figures under a model of the other sites, and cross-validated."""
    from shared.study.report.sites_out import sites_out_table

    return _table(sites_out_table(results), auc_columns=AUC_COLUMNS)


def print_site_candidates(results: "Study", console: Console) -> None:
    """Print the AUCs of other models at left-out sites, and whether plain averages are better."""
    from shared.study.report.site_candidates import (
        baseline_warning,
        site_candidates_table,
    )

    content = site_candidates_table(results)
    if content.rows:
        console.print()
        console.print(_table(content, auc_columns=range(1, len(content.head))))
    warning = baseline_warning(results)
    if warning is not None:
        console.print(f"Warning: {warning}", markup=False, highlight=False)


def roi_kinds_summary(results: "Study") -> Table:
    """Return the model's figures with each kind of ROI."""
    from shared.study.report.roi_kinds import roi_kinds_table

    return _table(roi_kinds_table(results), auc_columns=(2,))


def _table(content: "ReportTable", auc_columns: Sequence[int]) -> Table:
    """Return a table of the report for the terminal, with the notes of its AUCs."""
    table = Table(title=content.title, title_justify="left", box=None, pad_edge=False)
    for column in content.head:
        table.add_column(column.replace(", ", ",\n").replace("-", "-\n"))
    for row in content.rows:
        texts = [cell.text for cell in row]
        for number in (0, *auc_columns):
            texts[number] = "\n".join((texts[number], *row[number].notes))
        table.add_row(*map(escape, texts))
    return table
