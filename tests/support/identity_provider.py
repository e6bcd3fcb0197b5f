"""A provider of identities on loopback: a real HTTP server that issues signed tokens, and can be
told to err.
"""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

CLIENT = "sera"
SECRET = "the client's own secret"


class Identities:
    """Who is signed in there, and what is said of them; every `tamper` is a lie to be found out."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", parameters={"kid": "one"})
        self.claims: dict[str, Any] = {
            "sub": "subject-1",
            "preferred_username": "a.reader",
        }
        self.tamper: dict[str, Any] = {}
        self.signing: Any = None
        self.header: dict[str, Any] = {"alg": "ES256", "kid": "one"}
        self.codes: dict[str, dict[str, str]] = {}
        self.issuer = ""
        self.metadata_changes: dict[str, Any] = {}
        self.published_keys: dict[str, Any] | None = None
        self.answer: bytes | None = None
        """What is answered to every question, if it is set."""
        self.id_token: Any = None
        self._answers = threading.Event()
        self._answers.set()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Connections are accepted meanwhile, and nothing is answered."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    def wait_until_it_answers(self) -> None:
        self._answers.wait()

    def keys(self) -> dict[str, Any]:
        if self.published_keys is not None:
            return self.published_keys
        return {"keys": [self.key.as_dict(private=False)]}

    def metadata(self) -> dict[str, Any]:
        paths = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "jwks_uri": "keys",
        }
        return (
            {"issuer": self.issuer}
            | {name: f"{self.issuer}/{path}" for name, path in paths.items()}
            | self.metadata_changes
        )

    def authorize(self, request: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        assert (
            request["response_type"],
            request["client_id"],
            request["code_challenge_method"],
        ) == (
            "code",
            CLIENT,
            "S256",
        )
        code = secrets.token_urlsafe(16)
        self.codes[code] = request
        return (
            request["redirect_uri"]
            + "?"
            + urlencode({"code": code, "state": request["state"]})
        )

    def exchange(
        self, fields: dict[str, str], authorization: str
    ) -> dict[str, Any] | None:
        """None for what a provider refuses: a wrong client, a used code, another verifier or
        address.
        """
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        request = self.codes.pop(fields["code"], None)
        proven = (
            request
            and create_s256_code_challenge(fields["code_verifier"])
            == request["code_challenge"]
        )
        if (
            authorization != f"Basic {expected}"
            or not proven
            or fields["redirect_uri"] != request["redirect_uri"]
        ):
            return None
        return {
            "access_token": "x",
            "token_type": "Bearer",
            "id_token": self.token(request["nonce"])
            if self.id_token is None
            else self.id_token,
        }

    def token(self, nonce: str) -> str:
        now = int(time.time())
        fields = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
        }
        fields |= self.claims | self.tamper
        claims = {name: value for name, value in fields.items() if value is not None}
        return jwt.encode(
            self.header, claims, self.signing or self.key, algorithms=["ES256", "HS256"]
        )

    def shared_secret(self) -> OctKey:
        return OctKey.import_key(SECRET * 2)


@contextmanager
def identities() -> Iterator[Identities]:
    identities = Identities()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", identities.authorize(_flat(url.query)))
                self.send_header("Content-Length", "0")
                return self.end_headers()
            facts = identities.keys() if url.path == "/keys" else identities.metadata()
            self._say(200, facts)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            fields = identities.exchange(
                _flat(body), self.headers.get("Authorization", "")
            )
            self._say(200 if fields else 400, fields or {"error": "invalid_grant"})

        def _say(self, status: int, fields: dict[str, Any]) -> None:
            identities.wait_until_it_answers()
            body = identities.answer or json.dumps(fields).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        identities.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield identities
        server.shutdown()
        thread.join()


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
