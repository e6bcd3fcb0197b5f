"""Prints results as text for people, or as JSON for programs."""

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.output.printable import printable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def show_all(
    rows: list[dict[str, Any]],
    as_json: bool,
    table: Callable[[list[dict[str, Any]]], Table],
) -> None:
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=rows)
    else:
        console.print(table(rows))


def print_result(as_json: bool, facts: object, sentences: Iterable[str]) -> None:
    """Print facts as JSON, or sentences line by line."""
    if as_json:
        print(json.dumps(facts, indent=2, default=str))
        return
    for sentence in sentences:
        Console().print(
            printable(sentence), soft_wrap=True, highlight=False, markup=False
        )
