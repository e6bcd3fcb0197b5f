"""Moments of odd time zones and years, in every parameter of a time and in cursors."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from shared.domain.roles import Role
from tests.support.routes import openapi_document

ODD_MOMENTS = (
    "2026-01-01T00:00:00+23:59",
    "2026-01-01T00:00:00-23:59",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01",
    "1900-01-01",
    "2999-12-31",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31",
)
PAGES = ("/worklist", "/console/audit", "/console/monitoring")
JOB = UUID(int=1)


def named_moments() -> Iterator[tuple[str, str]]:
    """Yield path and name of each query parameter that is a day or a moment."""
    for path, operations in openapi_document()["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            if parameter["in"] == "query" and formats(parameter["schema"]):
                yield path, parameter["name"]
    for page in PAGES:
        for name in ("from", "to", "since", "until"):
            yield page, name


def formats(schema: dict[str, Any]) -> set[str]:
    options = [schema, *schema.get("anyOf", ())]
    return {option.get("format") for option in options} & {"date", "date-time"}


def role_for(path: str) -> Role:
    if path.startswith("/v1/audit") or path == "/console/audit":
        return Role.AUDITOR
    return Role.OPERATOR if "monitoring" in path else Role.HOSPITAL_ADMIN


def test_the_parameters_are_found():
    assert ("/v1/audit", "since") in set(named_moments())
    assert ("/v1/cases", "from") in set(named_moments())


@pytest.mark.parametrize("moment", ODD_MOMENTS)
def test_every_moment_is_understood_or_refused(as_role, moment):
    for path, name in named_moments():
        response = as_role(role_for(path)).get(path, params={name: moment})
        assert response.status_code in (200, 303, 422), (path, name, response.text)


@pytest.mark.parametrize("moment", ODD_MOMENTS)
def test_a_cursor_of_such_a_moment_is_understood_or_refused(as_role, moment):
    client = as_role(Role.SUBMITTER)
    job_cursor = encoded(f"{moment} {JOB}")
    row_cursor = encoded(json.dumps(["newest", moment, str(JOB)]))
    for path, cursor in (("/v1/jobs", job_cursor), ("/v1/cases", row_cursor)):
        response = client.get(path, params={"cursor": cursor})
        assert response.status_code in (200, 422), (path, response.text)


@pytest.mark.parametrize("moment", ODD_MOMENTS)
def test_outcomes_since_such_a_moment_are_imported_or_it_is_refused(as_role, moment):
    client = as_role(Role.OPERATOR)
    client.post("/v1/datasets", json={"name": "odd"})
    response = client.post("/v1/datasets/odd/outcomes", json={"since": moment})
    assert response.status_code in (200, 422), response.text


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()
