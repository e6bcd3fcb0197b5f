"""Signing in by a provider of identities: the way there, and the way back."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.api.dependencies import Dependencies
from services.api.middleware.authentication import session_lifetime
from services.api.session.attempts import GATEWAY
from services.api.session.errors import (
    OidcStateUnknown,
    ClaimsUnclear,
    NoAccount,
    AccountDisabled,
    ProviderOff,
    ProviderRefused,
    SignInTooOften,
)
from services.api.session.provider import IdentityProvider, IdentityClaims
from shared.domain.roles import HOSPITAL_ROLES, Role
from shared.errors import SeraError
from shared.ledger import SystemSession
from shared.ledger.audit.repository import ORIGIN
from shared.ledger.people.oidc_states import OidcState
from shared.ledger.people.repository import Person
from shared.ledger.people.sessions import digest

TOKEN_BYTES = 32
NAME_CLAIMS = ("preferred_username", "email", "sub")
"""Claims that a new person's name is taken from: the first that nobody has."""


@dataclass(frozen=True)
class ProviderRedirect:
    """Where the browser goes, and the mark by which it is known when it comes back."""

    address: str
    browser: str


class OidcService:
    def __init__(self, dependencies: Dependencies, back: str) -> None:
        """`back` is where the provider sends browsers back to."""
        if dependencies.provider is None:
            raise ProviderOff
        self._dependencies = dependencies
        self._back = back
        self._provider: IdentityProvider = dependencies.provider

    def start(self) -> ProviderRedirect:
        """Raises SignInTooOften, Unavailable."""
        self._count()
        state = _drawn()
        browser = _drawn()
        arrival = OidcState(_drawn(), _drawn())
        address = self._provider.address(state, arrival, self._back)
        with self._dependencies.ledger.system_session(GATEWAY) as session:
            session.oidc_states.begin(state, browser, arrival)
        return ProviderRedirect(address, browser)

    def finish(self, state: str, code: str, browser: str, before: str | None) -> str:
        """The token of a new session.

        Raises ArrivalUnknown, ProviderRefused, NobodyProvided, ClaimsUnclear, ProvidedDisabled, Unavailable.
        """
        with self._dependencies.ledger.system_session(GATEWAY) as session:
            arrival = session.oidc_states.finish(state, browser)
        if arrival is None:
            raise OidcStateUnknown
        if not code:
            raise ProviderRefused
        person = self._person(self._provider.exchange(code, arrival, self._back))
        if isinstance(person, SeraError):
            raise person
        token = self._entered(person, before)
        if token is None:
            raise AccountDisabled
        return token

    def _person(self, told: IdentityClaims) -> Person | SeraError:
        """A refusal is put on record, so nothing is raised here."""
        with self._dependencies.ledger.system_session(GATEWAY) as session:
            try:
                return session.people.find_by_identity(told.issuer, told.subject) or self._made(
                    session, told
                )
            except (NoAccount, ClaimsUnclear) as error:
                session.sign_ins.record_identity_refusal(None, None, error.code)
                return error

    def _entered(self, person: Person, before: str | None) -> str | None:
        with self._dependencies.ledger.system_session(f"person:{person.id}") as session:
            if not session.sign_ins.sign_in_by_identity(person.id):
                session.sign_ins.record_identity_refusal(person.id, person.hospital_id, "disabled")
                return None
            if before:
                session.sessions.end(digest(before))
            return session.sessions.open(person.id, session_lifetime(self._dependencies.settings))

    def _made(self, session: SystemSession, told: IdentityClaims) -> Person:
        """Raises NobodyProvided, ClaimsUnclear."""
        settings = self._dependencies.settings
        if not settings.oidc_create:
            raise NoAccount
        role = one_role(claimed(told.claims, settings.oidc_role_claim))
        names = claimed(told.claims, settings.oidc_hospital_claim)
        hospital = one_hospital(session, names) if role in HOSPITAL_ROLES else None
        free = (
            name
            for claim in NAME_CLAIMS
            for name in claimed(told.claims, claim)[:1]
            if session.people.is_name_free(name)
        )
        name = next(free, None)
        if name is None:
            raise ClaimsUnclear
        return session.people.create_with_identity(
            name, role, hospital, told.issuer, told.subject
        )

    def _count(self) -> None:
        with self._dependencies.ledger.system_session(GATEWAY) as session:
            wait_s = session.sign_ins.throttle(
                ORIGIN.get(), self._dependencies.settings.sign_ins_per_minute
            )
        if wait_s:
            raise SignInTooOften(retry_after_s=wait_s)


def claimed(claims: Mapping[str, Any], path: str) -> list[str]:
    """The words of a claim, one or a list; dots go deeper."""
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    words = found if isinstance(found, list) else [found]
    return [
        word
        for word in words
        if isinstance(word, str) and word.isprintable() and word.strip()
    ]


def one_role(words: list[str]) -> Role:
    """The one that is a role of ours; of two it is not clear which is meant. Raises ClaimsUnclear."""
    roles = {Role(word) for word in words if word in set(Role)}
    if len(roles) != 1:
        raise ClaimsUnclear
    return roles.pop()


def one_hospital(session: SystemSession, words: list[str]) -> UUID:
    """Raises ClaimsUnclear; no hospital is made because a provider names it."""
    known = {each.name: each.id for each in session.hospitals.all()}
    found = {known[word] for word in words if word in known}
    if len(found) != 1:
        raise ClaimsUnclear
    return found.pop()


def _drawn() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)
