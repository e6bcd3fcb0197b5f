"""Counts sign-in attempts before a password is checked, and records failed attempts."""

import asyncio

from services.api.dependencies import Dependencies
from services.api.session.errors import SignInLocked, SignInTooOften
from shared.ledger.audit.repository import ORIGIN
from shared.ledger.people.sign_ins import SignInAttempt

GATEWAY = "gateway"


class SignInAttempts:
    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    async def begin(self, name: str) -> SignInAttempt:
        """Count one more attempt. Raises SignInLocked, SignInTooOften, PasswordHasherBusy."""
        self._dependencies.password_hashers.check()
        wait_s, attempt = await asyncio.to_thread(self._count, name)
        if wait_s:
            raise SignInTooOften(retry_after_s=wait_s)
        if attempt.wait_s:
            raise SignInLocked(retry_after_s=attempt.wait_s)
        return attempt

    async def refuse(self, attempt: SignInAttempt, reason: str) -> None:
        await asyncio.to_thread(self._record_failure, attempt, reason)

    def _count(self, name: str) -> tuple[int, SignInAttempt]:
        """Count an attempt. Returns the seconds to wait, and the attempt.

        The count must always be committed, so nothing is raised here.
        """
        per_minute = self._dependencies.settings.sign_ins_per_minute
        with self._dependencies.counter_ledger.system_session(GATEWAY) as session:
            wait_s = session.sign_ins.throttle(ORIGIN.get(), per_minute)
            if wait_s:
                return wait_s, SignInAttempt.none()
            return 0, session.sign_ins.begin(name)

    def _record_failure(self, attempt: SignInAttempt, reason: str) -> None:
        with self._dependencies.counter_ledger.system_session(GATEWAY) as session:
            session.sign_ins.record_failure(attempt, reason)
