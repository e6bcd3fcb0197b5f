"""The course of a trial: a stack, hospitals that send, faults one after another, then quiet and
judgement.
"""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shared.domain.audit.export import AuditExport
from shared.domain.audit.verification import verify
from shared.domain.jobs import FINAL_STATES
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.ledger.audit.export import AuditTrailReader
from shared.objects import open_store
from shared.security.audit_signing import seal_key, signed
from shared.settings import Settings
from trials.chaos.cases import HOSPITALS, plan
from trials.chaos.clients import Clients
from trials.chaos.faults import FAULTS
from trials.chaos.judge import Verdict, judge
from trials.chaos.target_stack import HEALED_WITHIN_S, Arena, Members, stack_in

SENDING_SHARE = 0.8
"""Of the time, so that faults go on while the last cases are being read."""
BETWEEN_S = (0.5, 2.5)
SETTLED_WITHIN_S = 240.0
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What was done, and how it ended."""

    cases: int
    done: int
    failed: int
    refused: int
    faults: dict[str, int]
    verdict: Verdict
    resent: int
    internal: int
    """Answers 500: none is a lost case, and each is a defect."""
    seconds: float
    seed: int

    @property
    def passed(self) -> bool:
        return self.verdict.kept and not self.internal

    def to_json(self) -> dict[str, Any]:
        told = asdict(self.verdict)
        counts = {
            name: len(told.pop(name)) for name in ("lost", "double", "stuck", "wrong")
        }
        rest = {name: value for name, value in vars(self).items() if name != "verdict"}
        return (
            counts
            | {"audit_ok": self.verdict.audit_ok, "passed": self.passed}
            | rest
            | {"broken": self.broken}
        )

    @property
    def broken(self) -> dict[str, list[str]]:
        """The sentences of what went wrong, by kind."""
        return {name: list(told) for name, told in asdict(self.verdict).items() if told}


@dataclass(frozen=True)
class Storm:
    """How many cases, over how many minutes, with which kinds of faults; each comes once, however
    short the time.
    """

    cases: int
    minutes: float
    seed: int
    kinds: tuple[str, ...] = tuple(sorted(FAULTS))

    @property
    def seconds(self) -> float:
        return self.minutes * 60


class Trial:
    """One storm over a stack in a home of its own."""

    def __init__(self, home: Path, port: int, storm: Storm, tell: Tell) -> None:
        self._home = home
        self._port = port
        self._storm = storm
        self._tell = tell
        self._random = random.Random(storm.seed)
        self._injected = Counter(dict.fromkeys(storm.kinds, 0))

    def run(self) -> Report:
        # Here, for PyTorch comes with it, and a fault that there is not is refused without.
        from trials.chaos.model import make

        began = time.monotonic()
        self._tell("making a small model ...")
        bundle = make(self._home / "chaos-bundle")
        self._tell("starting a stack of its own ...")
        with self._arena(bundle) as arena:
            self._let_loose(arena)
            settled = self._settle(arena)
            verdict = self._judge(arena)
            clients = arena.clients
        self._tell(
            "settled" if settled else f"not settled within {SETTLED_WITHIN_S:g} s"
        )
        states = Counter(
            promise.job["state"] for promise in clients.promises if promise.job
        )
        return Report(
            cases=len(clients.promises),
            done=states["done"],
            failed=states["failed"],
            refused=sum(promise.refused is not None for promise in clients.promises),
            faults=dict(self._injected) | {"sent-again": clients.repeated},
            verdict=verdict,
            resent=clients.resent,
            internal=clients.internal,
            seconds=round(time.monotonic() - began, 1),
            seed=self._storm.seed,
        )

    @contextmanager
    def _arena(self, bundle: Path) -> Iterator[Arena]:
        members = Members()
        with ExitStack() as opened:
            stack = opened.enter_context(
                stack_in(self._home, self._port, members.heard)
            )
            ledger = Ledger(stack.database_url, pool_size=4)
            opened.callback(ledger.close)
            from trials.chaos.model import make_live

            make_live(bundle, ledger, open_store(stack.objects_url))
            with ledger.system_session("chaos") as session:
                hospitals = {name: session.hospitals.ensure(name) for name in HOSPITALS}
                keys = {
                    name: session.api_keys.create_text(Role.SUBMITTER, owner, "chaos")
                    for name, owner in hospitals.items()
                }
            clients = Clients(stack.url, keys)
            opened.callback(clients.close)
            numbers = itertools.count(self._storm.cases)
            yield Arena(
                stack, members, clients, ledger, hospitals, self._random, numbers
            )

    def _let_loose(self, arena: Arena) -> None:
        """Send, read and break side by side."""
        storm = self._storm
        self._tell(
            f"{storm.cases} cases over {storm.minutes:g} min, with {len(storm.kinds)} kinds of "
            "faults ..."
        )
        cases = plan(storm.cases, storm.seed)
        over = threading.Event()
        sending = threading.Thread(
            target=arena.clients.send_all, args=(cases, storm.seconds * SENDING_SHARE)
        )
        reading = threading.Thread(target=arena.clients.read_all, args=(over.is_set,))
        sending.start()
        reading.start()
        try:
            self._break(arena, time.monotonic() + storm.seconds)
            sending.join()
        except BaseException:
            arena.clients.give_up()
            raise
        finally:
            over.set()
            self._reading = reading

    def _break(self, arena: Arena, until: float) -> None:
        """Every kind once, in an order of its own, then again until the time is over."""
        for first in itertools.chain([True], itertools.repeat(False)):
            for kind in self._random.sample(self._storm.kinds, len(self._storm.kinds)):
                if not first and time.monotonic() > until:
                    return
                self._inject(arena, kind)

    def _inject(self, arena: Arena, kind: str) -> None:
        arena.pause(BETWEEN_S[1], BETWEEN_S[0])
        self._injected[kind] += FAULTS[kind](arena)
        self._tell(f"  {kind}")
        if not arena.members.all_up(HEALED_WITHIN_S):
            raise arena.not_healed(kind)

    def _settle(self, arena: Arena) -> bool:
        """Wait until all that was promised is final; False if it does not come to that in time."""
        self._tell("quiet; waiting for what is still open ...")
        self._reading.join(SETTLED_WITHIN_S)
        settled = not self._reading.is_alive()
        arena.clients.give_up()
        return settled and all(
            p.job and p.job["state"] in FINAL_STATES
            for p in arena.clients.promises
            if p.receipts
        )

    def _judge(self, arena: Arena) -> Verdict:
        arena.clients.resume()
        listed = {name: arena.clients.listed(name) for name in HOSPITALS}
        for promise in arena.clients.promises:
            if promise.receipts:
                arena.clients.look(promise, wait_s=0)
        return judge(
            arena.clients.promises,
            listed,
            AuditTrailReader(arena.ledger, "chaos").links(),
            self._chains(arena),
        )

    def _chains(self, arena: Arena) -> Sequence[str]:
        """What is wrong with the chains, in the database and in an export of it."""
        key = seal_key(Settings(home=self._home))
        with arena.ledger.system_session("chaos") as session:
            session.seals.add(key)
        trail = AuditTrailReader(arena.ledger, "chaos")
        file = self._home / "audit.jsonl"
        file.write_text("".join(trail.export_lines()), encoding="utf-8")
        exported = AuditExport(file)
        seals = trail.seals()
        live = verify(trail.links(), seals, signed, [key.public], ())
        alone = verify(exported.links(), exported.seals(), signed, [key.public], seals)
        told = [finding.sentence for finding in (*live.findings, *alone.findings)]
        return (
            told
            if exported.is_complete()
            else [*told, "the export does not end as it was written"]
        )
