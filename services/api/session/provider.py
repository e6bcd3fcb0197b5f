"""A provider of identities (OpenID Connect): where it sends people, and what its answer is believed to say."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from threading import Condition
from typing import Any, cast

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
from shared.settings import Settings

WELL_KNOWN = "/.well-known/openid-configuration"
TIMEOUT_S = 10.0
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
"""Signatures of a private key only: no `none`, and nothing that who knows our secret could make."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class IdentityClaims:
    """What a provider says of a person, proven to be said by it, to us, now, in answer to our question."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]


@dataclass(frozen=True)
class Metadata:
    """What a provider says of itself, and the keys that it signs with."""

    facts: Mapping[str, Any]
    keys: KeySet


class IdentityProvider:
    """Nothing is fetched before somebody signs in by it."""

    def __init__(self, settings: Settings, issuer: str) -> None:
        """`issuer` is SERA_OIDC_ISSUER."""
        self._settings = settings
        self.issuer = issuer.rstrip("/")
        self._cache: TTLCache[object, Metadata] = TTLCache(maxsize=1, ttl=METADATA_FRESH_S)
        self._condition = Condition()

    def address(self, state: str, arrival: OidcState, back: str) -> str:
        """Where the browser goes, to come `back` with a code. Raises Unavailable."""
        asked = {
            "nonce": arrival.nonce,
            "code_challenge": create_s256_code_challenge(arrival.verifier),
        }
        more = {
            "code_challenge_method": "S256",
            "redirect_uri": back,
            "scope": self._settings.oidc_scopes,
        }
        where = self._metadata().facts["authorization_endpoint"]
        address: str = prepare_grant_uri(
            where, self._settings.oidc_client_id, "code", state=state, **more, **asked
        )
        return address

    def exchange(self, code: str, arrival: OidcState, back: str) -> IdentityClaims:
        """Raises ProviderRefused, Unavailable."""
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
        body |= {
            "code_verifier": arrival.verifier,
            "client_id": self._settings.oidc_client_id,
        }
        secret = self._settings.oidc_client_secret
        auth = (
            (self._settings.oidc_client_id, secret.get_secret_value())
            if secret
            else None
        )
        token_endpoint = self._metadata().facts["token_endpoint"]
        answer = self._ask("POST", token_endpoint, data=body, auth=auth)
        if not isinstance(answer.get("id_token"), str):
            raise _refused("no-id-token")
        return self._proven(answer["id_token"], arrival.nonce)

    def _proven(self, text: str, nonce: str) -> IdentityClaims:
        try:
            token = self._decoded(text)
            issuer = self._metadata().facts["issuer"]
            asked = {"iss": {"essential": True, "value": issuer}}
            asked |= {
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
                "sub": {"essential": True},
            }
            more = {"nonce": nonce, "client_id": self._settings.oidc_client_id}
            claims = CodeIDToken(token.claims, token.header, asked, more)
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused(type(error).__name__) from error
        return IdentityClaims(self.issuer, str(claims["sub"]), dict(claims))

    def _decoded(self, text: str) -> jwt.Token:
        """With the provider's keys, read anew once if it has others by now."""
        registry = JWSRegistry(algorithms=SIGNATURE_ALGORITHMS, strict_check_header=False)
        try:
            return jwt.decode(text, self._metadata().keys, registry=registry)
        except (JoseError, ValueError):
            self._metadata.cache_clear()
        return jwt.decode(text, self._metadata().keys, registry=registry)

    @cachedmethod(attrgetter("_cache"), condition=attrgetter("_condition"))
    def _metadata(self) -> Metadata:
        """Believed for an hour. Raises ProviderRefused, Unavailable."""
        facts = self._ask("GET", self.issuer + WELL_KNOWN)
        if str(facts.get("issuer", "")).rstrip("/") != self.issuer or not all(
            map(facts.get, ENDPOINTS)
        ):
            raise _refused("another-issuer")
        keys = cast(KeySetSerialization, self._ask("GET", facts["jwks_uri"]))
        return Metadata(facts, KeySet.import_key_set(keys))

    def _ask(self, method: str, url: str, **parts: Any) -> dict[str, Any]:
        """A JSON object. No redirect is followed: it would take our secret elsewhere."""
        try:
            answer = httpx2.request(
                method, url, timeout=TIMEOUT_S, follow_redirects=False, **parts
            )
            told = answer.json()
        except (httpx2.HTTPError, ValueError) as lost:
            raise Unavailable(service="The provider of identities") from lost
        if not answer.is_success or not isinstance(told, dict):
            raise _refused(f"http-{answer.status_code}")
        return told


def _refused(why: str) -> ProviderRefused:
    log().warning("oidc.refused", why=why)
    return ProviderRefused()
