"""Well-formed requests with values that no database column, clock or codec accepts."""

import base64

import pytest

from shared.domain.roles import Role
from tests.support.builders import form

TOO_LARGE = 2**63
NUL = "%00"
BEFORE_TIME = "0001-01-01T00:00:00%2B14:00"
UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"


def cursor(content: str) -> str:
    return base64.urlsafe_b64encode(content.encode()).decode()


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/audit?after={TOO_LARGE}",
        f"/v1/audit?after=-{TOO_LARGE}",
        f"/v1/training-runs/{UNKNOWN_ID}/log?after={TOO_LARGE}",
        f"/v1/models/a{NUL}",
        f"/v1/models/a{NUL}/card",
        f"/v1/models/{'9' * 5000}",
        f"/v1/models/light%2F{TOO_LARGE}",
        "/v1/models/%ff%fe",
        f"/v1/datasets/a{NUL}",
        f"/v1/datasets/a/versions/{TOO_LARGE}",
        f"/v1/monitoring/drift?since={BEFORE_TIME}",
        "/v1/monitoring/drift?until=9999-12-31T23:59:59-14:00",
        "/v1/monitoring/drift?until=0001-01-02T00:00:00Z",
        "/v1/monitoring/performance?since=0001-01-01T00:00:00Z&until=9999-12-31T00:00:00Z&step=day",
        f"/v1/monitoring/drift?model=light%2F{TOO_LARGE}",
        "/v1/monitoring/drift?hospital=%ED%A0%80",
        f"/v1/audit/export?hospital={UNKNOWN_ID}",
        f"/v1/keys/{NUL}",
        "/healthz/%00",
        "/%ff%00",
        "/static/%00",
        "/static/..%2f..%2fapp.py",
    ],
)
def test_no_address_causes_a_server_error(as_role, path):
    answer = as_role(Role.OPERATOR).get(path)
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "content",
    [
        f"0001-01-01T00:00:00+14:00 {UNKNOWN_ID}",
        f"9999-12-31T23:59:59.999999-14:00 {UNKNOWN_ID}",
        f"2026-01-01 {UNKNOWN_ID}",
        f"2026-01-01T00:00:00 {UNKNOWN_ID}",
        "\0 \0",
    ],
)
def test_a_forged_cursor_causes_no_server_error(north, content):
    assert north.get("/v1/jobs", params={"cursor": cursor(content)}).status_code < 500


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v1/hospitals/a%00", {"weight": 1}),
        ("PATCH", "/v1/hospitals/%ff", {"weight": 1}),
        ("PATCH", "/v1/hospitals/north", {"rate_per_minute": 10**400}),
        ("PATCH", "/v1/hospitals/north", {"weight": 1e308}),
        ("PATCH", "/v1/hospitals/north", {"prevalence": 10**400}),
        ("PATCH", "/v1/hospitals/north", {"fna_rule": "\0"}),
        ("POST", "/v1/models/a%00/promote", {"reason": "long enough, isn't it"}),
        ("POST", "/v1/models/rollback", {"reason": "\0" * 20}),
        ("POST", "/v1/keys", {"role": "reader", "label": "\0", "hospital": "north"}),
        ("POST", "/v1/datasets", {"name": "a\0"}),
        ("POST", "/v1/training-runs", {"dataset": "a\0", "recipe": "light"}),
        (
            "POST",
            "/v1/training-runs",
            {"dataset": "a", "recipe": "light", "version": TOO_LARGE},
        ),
        ("DELETE", "/v1/shadow?reason=%00", None),
        ("POST", f"/v1/datasets/a/versions/{TOO_LARGE}", None),
    ],
)
def test_no_body_causes_a_server_error(as_role, method, path, body):
    answer = as_role(Role.OPERATOR).request(method, path, json=body)
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("key", ["é", "\x7f", "a\tb", "ÿ" * 200])
def test_an_idempotency_key_may_contain_any_header_character(north, key):
    answer = north.post(
        "/v1/cases", headers={"Idempotency-Key": key.encode("latin-1")}, **form()
    )
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "external_id",
    ["\u202e", "\ufffe", "😀" * 100, "\ud800".encode("utf-8", "surrogatepass")],
)
def test_an_external_id_may_contain_any_character(north, external_id):
    request = form()
    request["data"]["external_id"] = external_id
    assert north.post("/v1/cases", **request).status_code < 500


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/cases", "GET, POST"),
        (f"/v1/models/{UNKNOWN_ID}/shadow", "GET, POST"),
        ("/v1/hospitals/north", "PATCH"),
        ("/v1/jobs/rerun", "POST"),
        ("/v1/models/rollback", "POST"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
def test_an_unsupported_method_is_answered_with_the_allowed_ones(
    as_role, path, methods
):
    answer = as_role(Role.OPERATOR).put(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


def test_a_frame_number_too_large_for_its_column_is_refused(north):
    assert north.post("/v1/cases", **form(frame=TOO_LARGE)).status_code == 422
