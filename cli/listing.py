"""A list as people read it, or as programs do."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def show_all(found: list[dict[str, Any]], as_json: bool, table: Callable[[list[dict[str, Any]]], Table]) -> None:
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=found)
    else:
        console.print(table(found))
