"""Client of an identity provider (OpenID Connect): builds its sign-in address, and verifies its
responses.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from threading import BoundedSemaphore, Condition
from typing import Any, TypedDict, Unpack, cast
from urllib.parse import urlsplit

import httpx2
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from cachetools import TTLCache, cachedmethod
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from joserfc.jws import JWSRegistry

from services.api.session.errors import ProviderRefused
from shared.errors import Unavailable
from shared.ledger.people.oidc_states import OidcState
from shared.observability.logs import log
from shared.security.loopback import is_loopback
from shared.settings import Settings

WELL_KNOWN = "/.well-known/openid-configuration"
TIMEOUT_S = 10.0
MAX_SIMULTANEOUS = 10
"""Sign-ins that may wait for the provider at a time, a quarter of the gateway's threads. A silent
provider then keeps no other request from its answer."""
MAX_ANSWER_BYTES = 2**20
MAX_SUBJECT_LENGTH = 255
"""OpenID Connect Core 1.0, section 2."""
METADATA_FRESH_S = 3600.0
LEEWAY_S = 60
SIGNATURE_ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]
"""Only signatures by a private key: not `none`, and no HMAC, which the client secret could
produce."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class IdentityClaims:
    """A provider's verified claims about a person: signed by it, for SERA, current, and for our
    nonce.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any]


@dataclass(frozen=True)
class Metadata:
    """The provider's published metadata, and the keys with which it signs."""

    facts: Mapping[str, Any]
    keys: KeySet


class TokenRequest(TypedDict, total=False):
    """The form and the client's credentials of a request for tokens."""

    data: Mapping[str, str]
    auth: tuple[str, str] | None


class IdentityProvider:
    """Client of the provider. Nothing is fetched before the first person signs in."""

    def __init__(self, settings: Settings, issuer: str) -> None:
        """`issuer` is SERA_OIDC_ISSUER."""
        self._settings = settings
        self.issuer = issuer.rstrip("/")
        self._cache: TTLCache[object, Metadata] = TTLCache(
            maxsize=1, ttl=METADATA_FRESH_S
        )
        self._condition = Condition()
        self._places = BoundedSemaphore(MAX_SIMULTANEOUS)

    def authorization_url(
        self, state: str, oidc_state: OidcState, callback_url: str
    ) -> str:
        """Return the address of the provider's sign-in page. Afterwards the browser returns to
        `callback_url`. Raises Unavailable.
        """
        with self._place():
            endpoint = self._metadata().facts["authorization_endpoint"]
        url: str = prepare_grant_uri(
            endpoint,
            self._settings.oidc_client_id,
            "code",
            state=state,
            nonce=oidc_state.nonce,
            code_challenge=create_s256_code_challenge(oidc_state.verifier),
            code_challenge_method="S256",
            redirect_uri=callback_url,
            scope=self._settings.oidc_scopes,
        )
        return url

    def exchange(
        self, code: str, oidc_state: OidcState, callback_url: str
    ) -> IdentityClaims:
        """Exchange an authorization code for the verified claims. Raises ProviderRefused,
        Unavailable.
        """
        client_id = self._settings.oidc_client_id
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback_url,
            "code_verifier": oidc_state.verifier,
            "client_id": client_id,
        }
        secret = self._settings.oidc_client_secret
        auth = (client_id, secret.get_secret_value()) if secret else None
        with self._place():
            endpoint = self._metadata().facts["token_endpoint"]
            answer = self._request("POST", endpoint, data=body, auth=auth)
            id_token = answer.get("id_token")
            if not isinstance(id_token, str):
                raise _refused("no-id-token")
            return self._verify(id_token, oidc_state.nonce)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Be one of those that may wait for the provider. Raises Unavailable."""
        if not self._places.acquire(blocking=False):
            raise _unavailable()
        try:
            yield
        finally:
            self._places.release()

    def _verify(self, id_token: str, nonce: str) -> IdentityClaims:
        client_id = self._settings.oidc_client_id
        try:
            token = self._decode(id_token)
            issuer = self._metadata().facts["issuer"]
            required = {
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": client_id},
                "sub": {"essential": True},
            }
            parameters = {"nonce": nonce, "client_id": client_id}
            claims = CodeIDToken(token.claims, token.header, required, parameters)
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused(type(error).__name__) from error
        subject = claims["sub"]
        if not _is_subject(subject):
            raise _refused("subject")
        return IdentityClaims(issuer=self.issuer, subject=subject, claims=dict(claims))

    def _decode(self, text: str) -> jwt.Token:
        """Decode a token with the provider's keys. If no key fits, the keys are fetched again
        once.
        """
        registry = JWSRegistry(
            algorithms=SIGNATURE_ALGORITHMS, strict_check_header=False
        )
        try:
            return jwt.decode(text, self._metadata().keys, registry=registry)
        except (JoseError, ValueError):
            self._metadata.cache_clear()
        return jwt.decode(text, self._metadata().keys, registry=registry)

    @cachedmethod(attrgetter("_cache"), condition=attrgetter("_condition"))
    def _metadata(self) -> Metadata:
        """Return the provider's metadata, cached for an hour. Raises ProviderRefused,
        Unavailable.
        """
        facts = self._request("GET", self.issuer + WELL_KNOWN)
        issuer = str(facts.get("issuer", "")).rstrip("/")
        if issuer != self.issuer:
            raise _refused("another-issuer")
        if not all(_is_endpoint(facts.get(name)) for name in ENDPOINTS):
            raise _refused("endpoints")
        keys = cast(KeySetSerialization, self._request("GET", facts["jwks_uri"]))
        try:
            key_set = KeySet.import_key_set(keys)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _refused("keys") from error
        return Metadata(facts=facts, keys=key_set)

    def _request(
        self, method: str, url: str, **parts: Unpack[TokenRequest]
    ) -> dict[str, Any]:
        """Send a request and return the JSON object of the response. Redirects are not followed,
        because their target would receive the secret.
        """
        try:
            status, content = _exchange_bytes(method, url, **parts)
            body = json.loads(content)
        except (httpx2.HTTPError, ValueError, RecursionError) as error:
            raise _unavailable() from error
        if status >= 300 or not isinstance(body, dict):
            raise _refused(f"http-{status}")
        return body


def _exchange_bytes(
    method: str, url: str, **parts: Unpack[TokenRequest]
) -> tuple[int, bytes]:
    """Return status and body of the response. Raises Unavailable for a long or slow body."""
    deadline = time.monotonic() + TIMEOUT_S
    body = bytearray()
    with httpx2.stream(
        method, url, timeout=TIMEOUT_S, follow_redirects=False, **parts
    ) as answer:
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                raise _unavailable()
    return answer.status_code, bytes(body)


def _is_endpoint(url: object) -> bool:
    """Whether the address may get a code or the client's secret: over TLS, or on this machine."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def _is_subject(claim: object) -> bool:
    return (
        isinstance(claim, str)
        and claim.isprintable()
        and 0 < len(claim) <= MAX_SUBJECT_LENGTH
    )


def _refused(reason: str) -> ProviderRefused:
    log().warning("oidc.refused", why=reason)
    return ProviderRefused()


def _unavailable() -> Unavailable:
    return Unavailable(service="The provider of identities")
