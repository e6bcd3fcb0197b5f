"""Signs people in and out, and changes their passwords."""

import asyncio
from dataclasses import dataclass

from services.api.dependencies import Wiring
from services.api.doorman import lifetime
from services.api.session.schemas import NewPassword, SignIn, WhoView
from services.api.site import csrf
from shared import passwords
from shared.errors import Conflict, Forbidden, InputError, SeraError, Unauthenticated
from shared.ledger import House
from shared.ledger.audit import ORIGIN
from shared.ledger.hospitals import Caller
from shared.ledger.sessions import digest
from shared.ledger.signins import Attempt

GATEWAY = "gateway"


class SignInRefused(Unauthenticated):
    code = "sign-in-refused"
    text = "Name and password do not belong together, or the account is disabled. Check both, or ask who runs SERA."


class SignInLater(SeraError):
    status = 429
    retryable = True


class SignInLocked(SignInLater):
    code = "sign-in-locked"
    text = (
        "Too many wrong passwords for this name. Wait {retry_after_s} s and try again, or have an administrator unlock "
        "it: `./sera person unlock`."
    )


class SignInTooOften(SignInLater):
    code = "sign-in-too-often"
    text = "Too many sign-ins from this address. Wait {retry_after_s} s and try again."


class PasswordWrong(Forbidden):
    code = "password-wrong"
    text = "The present password is not right. Check it and send the change again."


class PasswordUnchanged(InputError):
    code = "password-unchanged"
    text = "The new password is the old one. Choose another."


class NoSession(Conflict):
    code = "no-session"
    text = "A key has no session and no password. Sign in with POST /v1/session first, or revoke the key at /v1/keys."


@dataclass(frozen=True)
class Opened:
    """A session just made: its token goes into the cookie, and who it is into the answer."""

    token: str
    who: WhoView


class SessionDesk:
    def __init__(self, wired: Wiring) -> None:
        self._wired, self._lifetime = wired, lifetime(wired.settings)

    async def sign_in(self, told: SignIn, before: str | None) -> Opened:
        """Under a new token; a session that the browser had `before` ends.

        Raises SignInRefused, SignInLocked, SignInTooOften, BenchBusy.
        """
        attempt = await self._begin(told.name)
        right = await self._wired.bench.matches(attempt.password_hash, told.password)
        if not right:
            await asyncio.to_thread(self._refuse, attempt, "password")
            raise SignInRefused
        anew = passwords.stale(attempt.password_hash)
        rehashed = await self._wired.bench.hashed(told.password) if anew else None
        opened = await asyncio.to_thread(self._open, attempt, rehashed, before)
        if opened is None:
            await asyncio.to_thread(self._refuse, attempt, "disabled")
            raise SignInRefused
        return opened

    async def change_password(self, who: Caller, told: NewPassword) -> Opened:
        """Every other session ends, and this one goes on under a new token.

        Raises NoSession, PasswordWrong, PasswordUnchanged, PasswordTooShort, PasswordGuessable.
        """
        person = await asyncio.to_thread(self._person, who)
        passwords.check(told.new, person.name)
        if passwords.normal(told.new) == passwords.normal(told.old):
            raise PasswordUnchanged
        attempt = await self._begin(person.name)
        if not await self._wired.bench.matches(attempt.password_hash, told.old):
            await asyncio.to_thread(self._refuse, attempt, "password")
            raise PasswordWrong
        return await asyncio.to_thread(self._change, who, attempt, await self._wired.bench.hashed(told.new))

    def sign_out(self, who: Caller) -> None:
        """Raises NoSession."""
        if who.person is None:
            raise NoSession
        with self._wired.ledger.whole(who.actor) as house:
            house.sessions.end(who.credential)

    def who(self, who: Caller, token: str | None) -> WhoView:
        with self._wired.ledger.whole(who.actor) as house:
            return self._by_key(house, who) if who.person is None else self._by_token(house, token or "")

    async def _begin(self, name: str) -> Attempt:
        self._wired.bench.check()
        wait_s, attempt = await asyncio.to_thread(self._counted, name)
        if wait_s:
            raise SignInTooOften(retry_after_s=wait_s)
        if attempt.wait_s:
            raise SignInLocked(retry_after_s=attempt.wait_s)
        return attempt

    def _counted(self, name: str) -> tuple[int, Attempt]:
        """Kept whatever comes of it, so nothing is raised here."""
        with self._wired.ledger.whole(GATEWAY) as house:
            wait_s = house.sign_ins.let_up(ORIGIN.get(), self._wired.settings.sign_ins_per_minute)
            return wait_s, Attempt.none() if wait_s else house.sign_ins.begin(name)

    def _refuse(self, attempt: Attempt, why: str) -> None:
        with self._wired.ledger.whole(GATEWAY) as house:
            house.sign_ins.refuse(attempt, why)

    def _open(self, attempt: Attempt, rehashed: str | None, before: str | None) -> Opened | None:
        with self._wired.ledger.whole(f"person:{attempt.person}") as house:
            if not house.sign_ins.succeed(attempt, rehashed):
                return None
            if before:
                house.sessions.end(digest(before))
            token = house.sessions.open(attempt.person, self._lifetime)
            return Opened(token, self._by_token(house, token))

    def _change(self, who: Caller, attempt: Attempt, new_hash: str) -> Opened:
        with self._wired.ledger.whole(who.actor) as house:
            if not house.sign_ins.change_password(attempt, new_hash):
                raise Unauthenticated
            token = house.sessions.open(attempt.person, self._lifetime)
            return Opened(token, self._by_token(house, token))

    def _person(self, who: Caller):
        if who.person is None:
            raise NoSession
        with self._wired.ledger.whole(who.actor) as house:
            return house.people.find(who.person)

    def _by_key(self, house: House, who: Caller) -> WhoView:
        nothing = {"person_id": None, "name": None, "expires_at": None, "csrf": None}
        return WhoView(role=who.role, hospital=_hospital(house, who), must_change=False, totp=False, **nothing)

    def _by_token(self, house: House, token: str) -> WhoView:
        """Raises Unauthenticated if the session ended this moment."""
        found = house.sessions.verify(token, self._lifetime)
        if found is None:
            raise Unauthenticated
        person = house.people.find(found.caller.person)
        return WhoView(
            role=person.role,
            hospital=_hospital(house, found.caller),
            person_id=person.id,
            name=person.name,
            must_change=person.must_change,
            totp=person.totp_since is not None,
            expires_at=found.expires_at,
            csrf=csrf(token),
        )


def _hospital(house: House, who: Caller) -> str | None:
    return house.hospitals.read(who.hospital_id).name if who.hospital_id else None
