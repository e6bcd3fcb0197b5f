"""`./sera case`: one case, and its erasure."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from cli.commands import application
from cli.connection import connect
from cli.output.results import reading
from shared.domain.erasure import Ground
from shared.domain.roles import Role

app = application()
CaseId = Annotated[
    UUID, typer.Argument(help="The case's id, as `./sera submit --json` prints it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def cases() -> None:
    """A case as it was submitted, and its erasure."""


@app.command()
def show(case: CaseId, as_json: AsJson = False) -> None:
    """A case as it was submitted, its jobs and what it turned out to be."""
    with connect(Role.SUBMITTER) as api:
        found = api.get(f"/v1/cases/{case}")
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        say("\n".join(lines(found)))


@app.command()
def erase(
    case: CaseId,
    ground: Annotated[Ground, typer.Option(help="Why; it goes on record.")],
    as_json: AsJson = False,
) -> None:
    """Erase a case for ever: image, size, ROI, descriptors, result, maps and outcome. The audit
    trail stays whole.
    """
    with connect(Role.HOSPITAL_ADMIN) as api:
        left = api.delete(f"/v1/cases/{case}", ground=ground.value)
    if as_json:
        print(json.dumps(left, indent=2))
    else:
        say(
            f"Erased at {left['erased_at']} ({left['ground']}). Left: the id, the dates, the "
            "ground, the audit trail."
        )


def lines(case: dict[str, Any]) -> list[str]:
    image = case["image"]
    name = case["external_id"]
    told = [
        f"Case {case['case_id']}{f' ({name})' if name else ''} of {case['created_at']}.",
        (
            f"Image: {image['format']}, {image['width']} x {image['height']}, sha256 "
            f"{image['sha256']}."
        ),
        (
            f"Nodule: {case['size_mm']:g} mm, ROI "
            f"{json.dumps(case['roi']) if case['roi'] else 'not given'}."
        ),
        f"Jobs: {', '.join(case['jobs'])}.",
    ]
    return [*told, outcome(case["outcome"]), *reading(case["reader_assessment"])]


def outcome(told: dict[str, Any] | None) -> str:
    if told is None:
        return "Outcome: not known."
    found = "malignant" if told["malignant"] else "benign"
    use = "may" if told["consent"] else "may not"
    return f"Outcome: {found} ({told['source']}); the image {use} be used for training."


def say(text: str) -> None:
    Console().print(text, soft_wrap=True, highlight=False, markup=False)
