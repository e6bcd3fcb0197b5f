"""Tries to sign in: counted before a password is looked at, and put on record when they fail."""

import asyncio

from services.api.dependencies import Dependencies
from services.api.session.errors import SignInLocked, SignInTooOften
from shared.ledger.audit.repository import ORIGIN
from shared.ledger.people.sign_ins import Attempt

GATEWAY = "gateway"


class SignInAttempts:
    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    async def begin(self, name: str) -> Attempt:
        """Raises SignInLocked, SignInTooOften, BenchBusy."""
        self._dependencies.password_hashers.check()
        wait_s, attempt = await asyncio.to_thread(self._counted, name)
        if wait_s:
            raise SignInTooOften(retry_after_s=wait_s)
        if attempt.wait_s:
            raise SignInLocked(retry_after_s=attempt.wait_s)
        return attempt

    async def refuse(self, attempt: Attempt, why: str) -> None:
        await asyncio.to_thread(self._refused, attempt, why)

    def _counted(self, name: str) -> tuple[int, Attempt]:
        """Kept whatever comes of it, so nothing is raised here."""
        with self._dependencies.counter_ledger.system_session(GATEWAY) as session:
            wait_s = session.sign_ins.throttle(
                ORIGIN.get(), self._dependencies.settings.sign_ins_per_minute
            )
            return wait_s, Attempt.none() if wait_s else session.sign_ins.begin(name)

    def _refused(self, attempt: Attempt, why: str) -> None:
        with self._dependencies.counter_ledger.system_session(GATEWAY) as session:
            session.sign_ins.record_failure(attempt, why)
