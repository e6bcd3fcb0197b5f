"""Prints results as text for people, or as JSON for programs."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.output.terminal import Console, print_json

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def show_all(
    rows: list[dict[str, Any]],
    as_json: bool,
    table: Callable[[list[dict[str, Any]]], Table],
) -> None:
    if as_json:
        print_json(rows)
    else:
        Console(highlight=False).print(table(rows))


def print_result(as_json: bool, facts: object, sentences: Iterable[str]) -> None:
    """Print facts as JSON, or sentences line by line."""
    if as_json:
        print_json(facts)
        return
    for sentence in sentences:
        Console().print(sentence, soft_wrap=True, highlight=False, markup=False)
