"""Manages the second factor: a code of an authenticator app at sign-in, if the person turned it
on.
"""

import asyncio
from uuid import UUID

import segno

from services.api.dependencies import Dependencies
from services.api.session.attempts import SignInAttempts
from services.api.session.errors import NoSession, PasswordWrong, TotpWrong
from services.api.session.schemas import Removal, TotpBegun, TotpOn
from shared.ledger import SystemSession
from shared.ledger.hospitals.repository import Caller
from shared.ledger.people.authenticators import Authenticator, AuthenticatorNotStarted
from shared.ledger.people.sign_ins import SignInAttempt
from shared.security import authenticators
from shared.security.authenticators import Vault

QR_SCALE = 5
"""Pixels of one QR module. A phone's camera recognises this size from an arm's length."""


class AuthenticatorService:
    def __init__(self, dependencies: Dependencies, caller: Caller) -> None:
        self._dependencies = dependencies
        self._caller = caller

    def begin(self) -> TotpBegun:
        """Raises NoSession, AuthenticatorAlreadyOn."""
        person = self._person()
        secret = authenticators.new_secret()
        with self._dependencies.ledger.system_session(self._caller.actor) as session:
            sealed = self._dependencies.vault.seal(person, secret)
            session.authenticators.begin(person, sealed)
            name = session.people.find(person).name
        uri = authenticators.provisioning_uri(secret, name)
        qr_code = segno.make_qr(uri)
        return TotpBegun(
            secret=secret,
            uri=uri,
            qr=qr_code.svg_data_uri(scale=QR_SCALE, light="#fff"),
        )

    def confirm(self, code: str) -> TotpOn:
        """Raises NoSession, AuthenticatorNotStarted, TotpWrong."""
        recovery_codes = authenticators.recovery_codes()
        with self._dependencies.ledger.system_session(self._caller.actor) as session:
            authenticator = session.authenticators.lock(self._person())
            if authenticator.sealed is None or authenticator.confirmed_at:
                raise AuthenticatorNotStarted
            step = _step(self._dependencies.vault, authenticator, code)
            if step is None:
                raise TotpWrong
            hashes = [
                authenticators.recovery_hash(recovery_code)
                for recovery_code in recovery_codes
            ]
            session.authenticators.turn_on(authenticator, step, hashes)
        return TotpOn(recovery_codes=recovery_codes)

    async def remove(self, removal: Removal) -> None:
        """Raises NoSession, PasswordWrong, TotpWrong, SignInLocked."""
        attempts = SignInAttempts(self._dependencies)
        person = self._person()
        name = await asyncio.to_thread(self._name, person)
        attempt = await attempts.begin(name)
        is_password_right = await self._dependencies.password_hashers.matches(
            attempt.password_hash, removal.password
        )
        if not is_password_right:
            await attempts.refuse(attempt, "password")
            raise PasswordWrong
        is_removed = await asyncio.to_thread(self._remove, attempt, removal.code)
        if not is_removed:
            await attempts.refuse(attempt, "code")
            raise TotpWrong

    def _remove(self, attempt: SignInAttempt, code: str) -> bool:
        """Whether the code was right; only then is the authenticator removed."""
        person = attempt.matched_person
        vault = self._dependencies.vault
        with self._dependencies.ledger.system_session(self._caller.actor) as session:
            if not check_second_factor(session, vault, person, code):
                return False
            session.sign_ins.give_back(attempt)
            authenticator = session.authenticators.lock(person)
            session.authenticators.turn_off(authenticator)
            return True

    def _name(self, person: UUID) -> str:
        with self._dependencies.ledger.system_session(self._caller.actor) as session:
            return session.people.find(person).name

    def _person(self) -> UUID:
        if self._caller.person is None:
            raise NoSession
        return self._caller.person


def check_second_factor(
    session: SystemSession, vault: Vault, person: UUID, code: str | None
) -> bool | None:
    """Return whether the second factor is right, or None if a code is required but was not sent.

    A right code cannot be used again.
    """
    authenticator = session.authenticators.lock(person)
    if authenticator.confirmed_at is None:
        return True
    if not code:
        return None
    step = _step(vault, authenticator, code)
    if step is not None:
        session.authenticators.use_step(authenticator, step)
        return True
    recovery_hash = authenticators.recovery_hash(code)
    if recovery_hash not in authenticator.recovery:
        return False
    session.authenticators.use_recovery(authenticator, recovery_hash)
    return True


def _step(vault: Vault, authenticator: Authenticator, code: str) -> int | None:
    """Return the time step of a right code, or None for a wrong code."""
    if authenticator.sealed is None:
        return None
    secret = vault.open(authenticator.person, authenticator.sealed)
    return authenticators.matching_step(
        secret, code, authenticator.now_s, authenticator.last_step
    )
