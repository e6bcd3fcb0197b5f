"""Signs people in and out, and changes their passwords."""

import asyncio
from dataclasses import dataclass

from services.api.dependencies import Dependencies
from services.api.middleware.authentication import session_lifetime
from services.api.middleware.origin_policy import csrf_token
from services.api.session.attempts import SignInAttempts
from services.api.session.authenticator import check_second_factor
from services.api.session.errors import (
    NoSession,
    PasswordUnchanged,
    PasswordWrong,
    SignInRefused,
    TotpNeeded,
    TotpWrong,
)
from services.api.session.schemas import NewPassword, SignIn, CallerView
from shared.errors import Unauthenticated
from shared.ledger import SystemSession
from shared.ledger.hospitals.repository import Caller
from shared.ledger.people.repository import Person
from shared.ledger.people.sessions import digest
from shared.ledger.people.sign_ins import CODE_MISSING, Attempt
from shared.security import passwords

Refusal = type[SignInRefused] | type[TotpNeeded] | type[TotpWrong]
REFUSALS: dict[Refusal, str] = {
    SignInRefused: "disabled",
    TotpNeeded: CODE_MISSING,
    TotpWrong: "code",
}
"""What stands in the trail beside a refusal after the right password."""


@dataclass(frozen=True)
class OpenedSession:
    """A session just made: its token goes into the cookie, and who it is into the answer."""

    token: str
    who: CallerView


class SessionService:
    """What counts tries, or opens a session after them, is in transactions of its own: it stays whatever follows."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._lifetime = session_lifetime(dependencies.settings)
        self._attempts = SignInAttempts(dependencies)

    async def sign_in(self, told: SignIn, before: str | None) -> OpenedSession:
        """Under a new token; a session that the browser had `before` ends.

        Raises SignInRefused, TotpNeeded, TotpWrong, SignInLocked, SignInTooOften, BenchBusy.
        """
        attempt = await self._attempts.begin(told.name)
        if not await self._dependencies.password_hashers.matches(attempt.password_hash, told.password):
            await self._attempts.refuse(attempt, "password")
            raise SignInRefused
        anew = attempt.password_hash is not None and passwords.stale(
            attempt.password_hash
        )
        rehashed = await self._dependencies.password_hashers.hash(told.password) if anew else None
        opened = await asyncio.to_thread(
            self._open, attempt, told.totp, rehashed, before
        )
        if isinstance(opened, OpenedSession):
            return opened
        await self._attempts.refuse(attempt, REFUSALS[opened])
        raise opened

    async def change_password(self, who: Caller, told: NewPassword) -> OpenedSession:
        """Every other session ends, and this one goes on under a new token.

        Raises NoSession, PasswordWrong, PasswordUnchanged, PasswordTooShort, PasswordGuessable.
        """
        person = await asyncio.to_thread(self._person, who)
        passwords.check(told.new, person.name)
        if passwords.normal(told.new) == passwords.normal(told.old):
            raise PasswordUnchanged
        attempt = await self._attempts.begin(person.name)
        if not await self._dependencies.password_hashers.matches(attempt.password_hash, told.old):
            await self._attempts.refuse(attempt, "password")
            raise PasswordWrong
        return await asyncio.to_thread(
            self._change, who, attempt, await self._dependencies.password_hashers.hash(told.new)
        )

    def sign_out(self, session: SystemSession, caller: Caller) -> None:
        """Raises NoSession."""
        if caller.person is None:
            raise NoSession
        session.sessions.end(caller.credential)

    def who(self, session: SystemSession, caller: Caller, token: str | None) -> CallerView:
        if caller.person is None:
            return self._by_key(session, caller)
        return self._by_token(session, token or "")

    def _open(
        self,
        attempt: Attempt,
        code: str | None,
        rehashed: str | None,
        before: str | None,
    ) -> OpenedSession | Refusal:
        """What is refused is counted, so nothing is raised here."""
        with self._dependencies.ledger.system_session(f"person:{attempt.person}") as session:
            second = check_second_factor(session, self._dependencies.vault, attempt.matched_person, code)
            if second is None:
                session.sign_ins.give_back(attempt)
                return TotpNeeded
            if not second:
                return TotpWrong
            if not session.sign_ins.succeed(attempt, rehashed):
                return SignInRefused
            if before:
                session.sessions.end(digest(before))
            token = session.sessions.open(attempt.matched_person, self._lifetime)
            return OpenedSession(token, self._by_token(session, token))

    def _change(self, who: Caller, attempt: Attempt, new_hash: str) -> OpenedSession:
        with self._dependencies.ledger.system_session(who.actor) as session:
            if not session.sign_ins.change_password(attempt, new_hash):
                raise Unauthenticated
            token = session.sessions.open(attempt.matched_person, self._lifetime)
            return OpenedSession(token, self._by_token(session, token))

    def _person(self, who: Caller) -> Person:
        if who.person is None:
            raise NoSession
        with self._dependencies.ledger.system_session(who.actor) as session:
            return session.people.find(who.person)

    def _by_key(self, session: SystemSession, who: Caller) -> CallerView:
        nothing = {"person_id": None, "name": None, "expires_at": None, "csrf": None}
        return CallerView(
            role=who.role,
            hospital=_hospital(session, who),
            must_change=False,
            totp=False,
            **nothing,
        )

    def _by_token(self, session: SystemSession, token: str) -> CallerView:
        """Raises Unauthenticated if the session ended this moment."""
        found = session.sessions.verify(token, self._lifetime)
        if found is None or found.caller.person is None:
            raise Unauthenticated
        person = session.people.find(found.caller.person)
        return CallerView(
            role=person.role,
            hospital=_hospital(session, found.caller),
            person_id=person.id,
            name=person.name,
            must_change=person.must_change,
            totp=person.totp_since is not None,
            expires_at=found.expires_at,
            csrf=csrf_token(token),
        )


def _hospital(session: SystemSession, who: Caller) -> str | None:
    return session.hospitals.read(who.hospital_id).name if who.hospital_id else None
