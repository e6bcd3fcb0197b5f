"""The commands, a module each."""

import typer


def application() -> typer.Typer:
    """Create the Typer application of a command's module."""
    return typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode="markdown"
    )
