"""Signs people in and out, and changes their passwords."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

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
from services.api.session.schemas import CallerView, NewPassword, SignIn
from shared.errors import Unauthenticated
from shared.ledger import SystemSession
from shared.ledger.hospitals.repository import Caller
from shared.ledger.people.repository import Person
from shared.ledger.people.sessions import hash_token
from shared.ledger.people.sign_ins import CODE_MISSING, SignInAttempt
from shared.security import passwords

Refusal = type[SignInRefused] | type[TotpNeeded] | type[TotpWrong]
REFUSALS: dict[Refusal, str] = {
    SignInRefused: "disabled",
    TotpNeeded: CODE_MISSING,
    TotpWrong: "code",
}
"""Reasons that the audit trail records for a refusal after the right password."""


@dataclass(frozen=True)
class OpenedSession:
    """A new session. The cookie gets its token, and the response gets its caller."""

    token: str
    caller: CallerView


class SessionService:
    """Signs people in and out.

    Attempts are counted and sessions are opened in separate transactions, so that both are kept
    even if the request fails afterwards.
    """

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._lifetime = session_lifetime(dependencies.settings)
        self._attempts = SignInAttempts(dependencies)

    async def sign_in(
        self, credentials: SignIn, previous_token: str | None
    ) -> OpenedSession:
        """Open a session under a new token. The session of `previous_token` ends.

        Raises SignInRefused, TotpNeeded, TotpWrong, SignInLocked, SignInTooOften,
        PasswordHasherBusy.
        """
        hashers = self._dependencies.password_hashers
        attempt = await self._attempts.begin(credentials.name)
        password_hash = attempt.password_hash
        if not await hashers.matches(password_hash, credentials.password):
            await self._attempts.refuse(attempt, "password")
            raise SignInRefused
        new_hash = None
        if password_hash is not None and passwords.needs_rehash(password_hash):
            new_hash = await hashers.hash(credentials.password)
        opened = await asyncio.to_thread(
            self._open, attempt, credentials.totp, new_hash, previous_token
        )
        if isinstance(opened, OpenedSession):
            return opened
        await self._attempts.refuse(attempt, REFUSALS[opened])
        raise opened

    async def change_password(
        self, caller: Caller, change: NewPassword
    ) -> OpenedSession:
        """Change the password. Every other session ends; this one continues under a new token.

        Raises NoSession, PasswordWrong, PasswordUnchanged, PasswordTooShort, PasswordGuessable.
        """
        hashers = self._dependencies.password_hashers
        person = await asyncio.to_thread(self._person, caller)
        passwords.check_password(change.new, person.name)
        if passwords.normalize(change.new) == passwords.normalize(change.old):
            raise PasswordUnchanged
        attempt = await self._attempts.begin(person.name)
        if not await hashers.matches(attempt.password_hash, change.old):
            await self._attempts.refuse(attempt, "password")
            raise PasswordWrong
        new_hash = await hashers.hash(change.new)
        return await asyncio.to_thread(self._change, caller, attempt, new_hash)

    def sign_out(self, session: SystemSession, caller: Caller) -> None:
        """Raises NoSession."""
        if caller.person is None:
            raise NoSession
        session.sessions.end(caller.credential)

    def caller_view(
        self, session: SystemSession, caller: Caller, token: str | None
    ) -> CallerView:
        if caller.person is None:
            return self._key_view(session, caller)
        return self._session_view(session, token or "")

    def _open(
        self,
        attempt: SignInAttempt,
        code: str | None,
        new_hash: str | None,
        previous_token: str | None,
    ) -> OpenedSession | Refusal:
        """Open a session, or return the refusal.

        The count of a refusal must be committed, so it is returned and not raised.
        """
        person = attempt.matched_person
        vault = self._dependencies.vault
        with self._dependencies.ledger.system_session(f"person:{person}") as session:
            is_code_right = check_second_factor(session, vault, person, code)
            if is_code_right is None:
                session.sign_ins.give_back(attempt)
                return TotpNeeded
            if not is_code_right:
                return TotpWrong
            if not session.sign_ins.succeed(attempt, new_hash):
                return SignInRefused
            if previous_token:
                session.sessions.end(hash_token(previous_token))
            return self._new_session(session, person)

    def _change(
        self, caller: Caller, attempt: SignInAttempt, new_hash: str
    ) -> OpenedSession:
        with self._dependencies.ledger.system_session(caller.actor) as session:
            if not session.sign_ins.change_password(attempt, new_hash):
                raise Unauthenticated
            return self._new_session(session, attempt.matched_person)

    def _new_session(self, session: SystemSession, person: UUID) -> OpenedSession:
        token = session.sessions.create(person, self._lifetime)
        return OpenedSession(token=token, caller=self._session_view(session, token))

    def _person(self, caller: Caller) -> Person:
        if caller.person is None:
            raise NoSession
        with self._dependencies.ledger.system_session(caller.actor) as session:
            return session.people.find(caller.person)

    def _key_view(self, session: SystemSession, caller: Caller) -> CallerView:
        return CallerView(
            role=caller.role,
            hospital=_hospital_name(session, caller),
            person_id=None,
            name=None,
            must_change=False,
            totp=False,
            expires_at=None,
            csrf=None,
        )

    def _session_view(self, session: SystemSession, token: str) -> CallerView:
        """Raises Unauthenticated if the session has just ended."""
        signed_in = session.sessions.verify(token, self._lifetime)
        if signed_in is None or signed_in.caller.person is None:
            raise Unauthenticated
        person = session.people.find(signed_in.caller.person)
        return CallerView(
            role=person.role,
            hospital=_hospital_name(session, signed_in.caller),
            person_id=person.id,
            name=person.name,
            must_change=person.must_change,
            totp=person.totp_since is not None,
            expires_at=signed_in.expires_at,
            csrf=csrf_token(token),
        )


def _hospital_name(session: SystemSession, caller: Caller) -> str | None:
    if caller.hospital_id is None:
        return None
    return session.hospitals.read(caller.hospital_id).name
