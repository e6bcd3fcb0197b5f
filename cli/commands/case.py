"""`./sera case`: one case, and its erasure."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from cli.commands import application
from cli.connection import connect
from cli.output.results import descriptor_sentences
from cli.output.terminal import Console, print_json
from shared.domain.erasure import ErasureReason
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
        facts = api.get(f"/v1/cases/{case}")
    if as_json:
        print_json(facts)
    else:
        print_plain("\n".join(case_lines(facts)))


@app.command()
def erase(
    case: CaseId,
    ground: Annotated[ErasureReason, typer.Option(help="Why; it goes on record.")],
    as_json: AsJson = False,
) -> None:
    """Erase a case for ever: image, size, ROI, descriptors, result, maps and outcome. The audit
    trail stays whole.
    """
    with connect(Role.HOSPITAL_ADMIN) as api:
        tombstone = api.delete(f"/v1/cases/{case}", ground=ground.value)
    if as_json:
        print_json(tombstone)
    else:
        print_plain(
            f"Erased at {tombstone['erased_at']} ({tombstone['ground']}). Left: the id, the "
            "dates, the ground, the audit trail."
        )


def case_lines(case: dict[str, Any]) -> list[str]:
    image = case["image"]
    external_id = case["external_id"]
    name = f" ({external_id})" if external_id else ""
    roi = json.dumps(case["roi"]) if case["roi"] else "not given"
    lines = [
        f"Case {case['case_id']}{name} of {case['created_at']}.",
        f"Image: {image['format']}, {image['width']} x {image['height']}, "
        f"sha256 {image['sha256']}.",
        f"Nodule: {case['size_mm']:g} mm, ROI {roi}.",
        f"Jobs: {', '.join(case['jobs'])}.",
        outcome_line(case["outcome"]),
    ]
    return lines + descriptor_sentences(case["reader_assessment"])


def outcome_line(outcome: dict[str, Any] | None) -> str:
    if outcome is None:
        return "Outcome: not known."
    label = "malignant" if outcome["malignant"] else "benign"
    permission = "may" if outcome["consent"] else "may not"
    return f"Outcome: {label} ({outcome['source']}); the image {permission} be used for training."


def print_plain(text: str) -> None:
    Console().print(text, soft_wrap=True, highlight=False, markup=False)
