"""What people do at the door, for the tests of it; and time that goes by there."""

from sqlalchemy import text

from services.api.middleware.origin_policy import CSRF_HEADER

PASSWORD = "four words of no sense"
NEW_PASSWORD = "another four words here"


def sign_in(client, name, password=PASSWORD, **extra):
    return client.post(
        "/v1/session", json={"name": name, "password": password, **extra}
    )


def entered(client, name, password=PASSWORD):
    """Signed in, with what a page sends from then on."""
    answer = sign_in(client, name, password)
    assert answer.status_code == 201, answer.text
    client.headers[CSRF_HEADER] = answer.json()["csrf"]
    return answer


def events(operator, *names):
    body = operator.get("/v1/audit?limit=1000").json()
    return [item for item in body if item["event"] in names]


def move_clock(ledger, seconds, table="people"):
    """As if so much time had gone by for those who are locked, or for those at the door."""
    moved = {
        "people": "UPDATE people SET locked_until = locked_until - make_interval(secs => :s)",
        "doorsteps": "UPDATE doorsteps SET filled_at = filled_at - make_interval(secs => :s)",
        "sessions": "UPDATE sessions SET seen_at = seen_at - make_interval(secs => :s), "
        "idle_at = idle_at - make_interval(secs => :s), expires_at = expires_at - "
        "make_interval(secs => :s)",
    }
    with ledger.engine.begin() as line:
        line.execute(text(moved[table]), {"s": seconds})
