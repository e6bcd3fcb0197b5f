"""The second factor: an authenticator's code at sign-in, if its owner turned it on."""

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
from shared.ledger.people.sign_ins import Attempt
from shared.security import authenticators
from shared.security.authenticators import Vault

QR_SCALE = 5
"""Pixels of a module: a telephone's camera reads it from an arm's length."""


class AuthenticatorService:
    def __init__(self, dependencies: Dependencies, who: Caller) -> None:
        self._dependencies = dependencies
        self._who = who

    def begin(self) -> TotpBegun:
        """Raises NoSession, AuthenticatorOn."""
        person = self._person()
        secret = authenticators.new_secret()
        with self._dependencies.ledger.system_session(self._who.actor) as session:
            session.authenticators.begin(person, self._dependencies.vault.seal(person, secret))
            name = session.people.find(person).name
        uri = authenticators.address(secret, name)
        return TotpBegun(
            secret=secret,
            uri=uri,
            qr=segno.make_qr(uri).svg_data_uri(scale=QR_SCALE, light="#fff"),
        )

    def confirm(self, code: str) -> TotpOn:
        """Raises NoSession, AuthenticatorNotBegun, TotpWrong."""
        codes = authenticators.recovery_codes()
        with self._dependencies.ledger.system_session(self._who.actor) as session:
            its = session.authenticators.lock(self._person())
            if its.sealed is None or its.confirmed_at:
                raise AuthenticatorNotStarted
            step = _step(self._dependencies.vault, its, code)
            if step is None:
                raise TotpWrong
            session.authenticators.turn_on(
                its, step, [authenticators.recovery_hash(each) for each in codes]
            )
        return TotpOn(recovery_codes=codes)

    async def remove(self, told: Removal) -> None:
        """Raises NoSession, PasswordWrong, TotpWrong, SignInLocked."""
        attempts = SignInAttempts(self._dependencies)
        person = self._person()
        attempt = await attempts.begin(await asyncio.to_thread(self._name, person))
        if not await self._dependencies.password_hashers.matches(attempt.password_hash, told.password):
            await attempts.refuse(attempt, "password")
            raise PasswordWrong
        if not await asyncio.to_thread(self._removed, attempt, told.code):
            await attempts.refuse(attempt, "code")
            raise TotpWrong

    def _removed(self, attempt: Attempt, code: str) -> bool:
        with self._dependencies.ledger.system_session(self._who.actor) as session:
            if not check_second_factor(session, self._dependencies.vault, attempt.matched_person, code):
                return False
            session.sign_ins.give_back(attempt)
            session.authenticators.turn_off(
                session.authenticators.lock(attempt.matched_person)
            )
            return True

    def _name(self, person: UUID) -> str:
        with self._dependencies.ledger.system_session(self._who.actor) as session:
            return session.people.find(person).name

    def _person(self) -> UUID:
        if self._who.person is None:
            raise NoSession
        return self._who.person


def check_second_factor(
    session: SystemSession, vault: Vault, person: UUID, code: str | None
) -> bool | None:
    """Whether the second factor is right, None if one is needed and none came; a code that was right is used up."""
    its = session.authenticators.lock(person)
    if its.confirmed_at is None:
        return True
    if not code:
        return None
    step = _step(vault, its, code)
    if step is not None:
        session.authenticators.use_step(its, step)
        return True
    used = authenticators.recovery_hash(code)
    if used not in its.recovery:
        return False
    session.authenticators.use_recovery(its, used)
    return True


def _step(vault: Vault, its: Authenticator, code: str) -> int | None:
    if its.sealed is None:
        return None
    secret = vault.open(its.person, its.sealed)
    return authenticators.step_of(secret, code, its.now_s, its.last_step)
