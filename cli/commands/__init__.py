"""The commands, a module each."""

import typer


def application() -> typer.Typer:
    """A Typer application as each command's module has one."""
    return typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode="markdown"
    )
