"""Signs people in by an identity provider (OpenID Connect): the redirect to it, and the
callback.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.api.dependencies import Dependencies
from services.api.middleware.authentication import session_lifetime
from services.api.people.schemas import MAX_NAME_LENGTH
from services.api.session.attempts import GATEWAY
from services.api.session.errors import (
    AccountDisabled,
    ClaimsUnclear,
    NoAccount,
    OidcStateUnknown,
    ProviderOff,
    ProviderRefused,
    SignInTooOften,
)
from services.api.session.provider import IdentityClaims, IdentityProvider
from shared.domain.roles import HOSPITAL_ROLES, Role
from shared.errors import SeraError
from shared.ledger import SystemSession
from shared.ledger.audit.repository import ORIGIN
from shared.ledger.people.oidc_states import OidcState
from shared.ledger.people.repository import Person, sign_in_name
from shared.ledger.people.sessions import hash_token

TOKEN_BYTES = 32
NAME_CLAIMS = ("preferred_username", "email", "sub")
"""Claims that may become a new person's sign-in name; the first name that is free is used."""


@dataclass(frozen=True)
class ProviderRedirect:
    """The address to redirect the browser to, and the token that identifies the browser at the
    callback.
    """

    address: str
    browser_token: str


class OidcService:
    def __init__(self, dependencies: Dependencies, callback_url: str) -> None:
        """`callback_url` is where the provider sends browsers back to."""
        if dependencies.provider is None:
            raise ProviderOff
        self._dependencies = dependencies
        self._callback_url = callback_url
        self._provider: IdentityProvider = dependencies.provider

    def start(self) -> ProviderRedirect:
        """Raises SignInTooOften, Unavailable."""
        self._throttle()
        state = _random_token()
        browser_token = _random_token()
        oidc_state = OidcState(nonce=_random_token(), verifier=_random_token())
        address = self._provider.authorization_url(
            state, oidc_state, self._callback_url
        )
        with self._dependencies.ledger.system_session(GATEWAY) as session:
            session.oidc_states.begin(state, browser_token, oidc_state)
        return ProviderRedirect(address=address, browser_token=browser_token)

    def finish(
        self, *, state: str, code: str, browser_token: str, previous_token: str | None
    ) -> str:
        """Open a session and return its token. The session of `previous_token` ends.

        Raises OidcStateUnknown, ProviderRefused, NoAccount, ClaimsUnclear, AccountDisabled,
        Unavailable.
        """
        with self._dependencies.ledger.system_session(GATEWAY) as session:
            oidc_state = session.oidc_states.finish(state, browser_token)
        if oidc_state is None:
            raise OidcStateUnknown
        if not code:
            raise ProviderRefused
        identity = self._provider.exchange(code, oidc_state, self._callback_url)
        person = self._person(identity)
        if isinstance(person, SeraError):
            raise person
        token = self._open_session(person, previous_token)
        if token is None:
            raise AccountDisabled
        return token

    def _person(self, identity: IdentityClaims) -> Person | SeraError:
        """Return the person of an identity, or the refusal.

        A refusal is recorded and must be committed, so it is returned and not raised.
        """
        with self._dependencies.ledger.system_session(GATEWAY) as session:
            try:
                person = session.people.find_by_identity(
                    identity.issuer, identity.subject
                )
                return person or self._create_person(session, identity)
            except (NoAccount, ClaimsUnclear) as error:
                session.sign_ins.record_identity_refusal(None, None, error.code)
                return error

    def _open_session(self, person: Person, previous_token: str | None) -> str | None:
        """Open a session and return its token, or None if the person's account is disabled."""
        lifetime = session_lifetime(self._dependencies.settings)
        with self._dependencies.ledger.system_session(f"person:{person.id}") as session:
            if not session.sign_ins.sign_in_by_identity(person.id):
                session.sign_ins.record_identity_refusal(
                    person.id, person.hospital_id, "disabled"
                )
                return None
            if previous_token:
                session.sessions.end(hash_token(previous_token))
            return session.sessions.create(person.id, lifetime)

    def _create_person(
        self, session: SystemSession, identity: IdentityClaims
    ) -> Person:
        """Raises NoAccount, ClaimsUnclear."""
        settings = self._dependencies.settings
        if not settings.oidc_create:
            raise NoAccount
        role = one_role(claim_values(identity.claims, settings.oidc_role_claim))
        hospital = None
        if role in HOSPITAL_ROLES:
            names = claim_values(identity.claims, settings.oidc_hospital_claim)
            hospital = one_hospital(session, names)
        name = _free_name(session, identity.claims)
        if name is None:
            raise ClaimsUnclear
        return session.people.create_with_identity(
            name, role, hospital, identity.issuer, identity.subject
        )

    def _throttle(self) -> None:
        per_minute = self._dependencies.settings.sign_ins_per_minute
        with self._dependencies.ledger.system_session(GATEWAY) as session:
            wait_s = session.sign_ins.throttle(ORIGIN.get(), per_minute)
        if wait_s:
            raise SignInTooOften(retry_after_s=wait_s)


def _free_name(session: SystemSession, claims: Mapping[str, Any]) -> str | None:
    """Return the first name from NAME_CLAIMS that is short enough and that no other person uses."""
    for claim in NAME_CLAIMS:
        for name in claim_values(claims, claim)[:1]:
            is_short = len(sign_in_name(name)) <= MAX_NAME_LENGTH
            if is_short and session.people.is_name_free(name):
                return name
    return None


def claim_values(claims: Mapping[str, Any], path: str) -> list[str]:
    """Return the texts of a claim, which is one text or a list. Dots in `path` select nested
    objects.
    """
    claim: Any = claims
    for name in path.split("."):
        claim = claim.get(name) if isinstance(claim, Mapping) else None
    values = claim if isinstance(claim, list) else [claim]
    return [
        value
        for value in values
        if isinstance(value, str) and value.isprintable() and value.strip()
    ]


def one_role(values: list[str]) -> Role:
    """Return the one value that is a role of SERA. Raises ClaimsUnclear if no value or several
    values are roles.
    """
    roles = {Role(value) for value in values if value in set(Role)}
    if len(roles) != 1:
        raise ClaimsUnclear
    return roles.pop()


def one_hospital(session: SystemSession, names: list[str]) -> UUID:
    """Return the hospital of the one name that is a hospital's. Hospitals named by a provider are
    never created.

    Raises ClaimsUnclear if no name or several names are hospitals.
    """
    ids_by_name = {hospital.name: hospital.id for hospital in session.hospitals.all()}
    ids = {ids_by_name[name] for name in names if name in ids_by_name}
    if len(ids) != 1:
        raise ClaimsUnclear
    return ids.pop()


def _random_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)
