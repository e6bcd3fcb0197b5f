"""`./sera card`: the model card of a bundle's folder, or of a stored model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.commands import application
from cli.commands.models import find_model
from cli.connection import connect
from cli.output.terminal import Console, print_json
from shared.cards import render
from shared.domain.roles import Role
from shared.errors import SeraError

app = application()


class PageUnwritable(SeraError):
    code = "page-unwritable"
    text = "The page cannot be written to {path} ({problem}). Choose another place with --html."


@app.command()
def card(
    source: Annotated[
        str,
        typer.Argument(
            metavar="BUNDLE_DIR|MODEL", help="A bundle's folder, else a stored model."
        ),
    ],
    html: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="FILE", help="Write the page here."),
    ] = None,
) -> None:
    """What a model is for, made from, worth and not worth: JSON, or with --html a page."""
    facts = (
        card_of_bundle(Path(source)) if Path(source).is_dir() else card_of_model(source)
    )
    if html is None:
        print_json(facts)
        return
    write_page(html, render(facts))
    Console(stderr=True).print(f"The card is in {html}.", markup=False, soft_wrap=True)


def card_of_bundle(folder: Path) -> dict[str, Any]:
    """The card of a bundle, which is verified first as it is before use."""
    from shared.bundles.card import model_card as make
    from shared.bundles.first_load import load_from_outside

    return make(load_from_outside(folder))


def card_of_model(reference: str) -> dict[str, Any]:
    with connect(Role.OPERATOR) as api:
        card: dict[str, Any] = api.get(
            f"/v1/models/{find_model(api, reference)['digest']}/card"
        )
        return card


def write_page(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as problem:
        raise PageUnwritable(path=path, problem=problem.strerror) from problem
