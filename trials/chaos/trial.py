"""Runs a trial: starts a stack, sends cases, injects faults, waits, and judges the outcome."""

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
from shared.security.audit_signing import is_signed
from trials.chaos.cases import HOSPITALS, plan
from trials.chaos.clients import Clients
from trials.chaos.faults import FAULTS, SMALL_DISK_FILLED
from trials.chaos.file_system import NoFileSystem, small_file_system
from trials.chaos.judge import Verdict, judge
from trials.chaos.target_stack import (
    HEAL_TIMEOUT_S,
    ChildPhases,
    TargetStack,
    create_stack,
)

SENDING_SHARE = 0.8
"""The share of the time in which cases are sent. Faults go on while the last cases are read."""
FAULT_PAUSE_S = (0.5, 2.5)
SETTLE_TIMEOUT_S = 240.0
PrintLine = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """The counts and the verdict of a trial."""

    cases: int
    done: int
    failed: int
    refused: int
    faults: dict[str, int]
    verdict: Verdict
    resent: int
    internal: int
    """Answers with status 500. None of them is a lost case, but each is a defect."""
    seconds: float
    seed: int

    @property
    def passed(self) -> bool:
        return self.verdict.passed and not self.internal

    def to_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "lost": len(verdict.lost),
            "double": len(verdict.double),
            "stuck": len(verdict.stuck),
            "changed": len(verdict.changed),
            "wrong": len(verdict.wrong),
            "audit_ok": verdict.audit_ok,
            "passed": self.passed,
            "cases": self.cases,
            "done": self.done,
            "failed": self.failed,
            "refused": self.refused,
            "faults": self.faults,
            "resent": self.resent,
            "internal": self.internal,
            "seconds": self.seconds,
            "seed": self.seed,
            "broken": self.broken,
        }

    @property
    def broken(self) -> dict[str, list[str]]:
        """The sentences on violations, by kind."""
        broken: dict[str, list[str]] = {}
        for kind, sentences in asdict(self.verdict).items():
            if sentences:
                broken[kind] = list(sentences)
        return broken


@dataclass(frozen=True)
class TrialPlan:
    """The number of cases, the minutes, and the kinds of faults of a trial.

    Each kind comes once, however short the time is.
    """

    cases: int
    minutes: float
    seed: int
    kinds: tuple[str, ...] = tuple(sorted(FAULTS))

    @property
    def seconds(self) -> float:
        return self.minutes * 60


class Trial:
    """Runs one trial plan on a stack in a home of its own."""

    def __init__(
        self, home: Path, port: int, trial_plan: TrialPlan, print_line: PrintLine
    ) -> None:
        self._home = home
        self._port = port
        self._plan = trial_plan
        self._print_line = print_line
        self._random = random.Random(trial_plan.seed)
        self._injected = Counter(dict.fromkeys(trial_plan.kinds, 0))

    def run(self) -> Report:
        # Imported here, because it loads PyTorch. Unknown faults are refused before that.
        from trials.chaos.model import make

        start = time.monotonic()
        with ExitStack() as resources:
            has_small_disk = self._mount_small_disk(resources)
            self._print_line("making a small model ...")
            bundle = make(self._home / "chaos-bundle")
            self._print_line("starting a stack of its own ...")
            target = resources.enter_context(self._target_stack(bundle, has_small_disk))
            self._run_load_and_faults(target)
            settled = self._settle(target)
            verdict = self._judge(target)
            clients = target.clients
        self._print_line(
            "settled" if settled else f"not settled within {SETTLE_TIMEOUT_S:g} s"
        )
        states = Counter(
            record.job["state"] for record in clients.records if record.job
        )
        return Report(
            cases=len(clients.records),
            done=states["done"],
            failed=states["failed"],
            refused=sum(record.refused is not None for record in clients.records),
            faults=dict(self._injected) | {"sent-again": clients.repeated},
            verdict=verdict,
            resent=clients.resent,
            internal=clients.internal,
            seconds=round(time.monotonic() - start, 1),
            seed=self._plan.seed,
        )

    def _mount_small_disk(self, resources: ExitStack) -> bool:
        """Whether the home is a small file system until `resources` are released."""
        if SMALL_DISK_FILLED not in self._plan.kinds:
            return False
        try:
            resources.enter_context(small_file_system(self._home))
        except NoFileSystem as reason:
            self._print_line(f"{SMALL_DISK_FILLED} is left out: {reason}")
            return False
        return True

    @contextmanager
    def _target_stack(
        self, bundle: Path, has_small_disk: bool
    ) -> Iterator[TargetStack]:
        phases = ChildPhases()
        with ExitStack() as resources:
            stack = resources.enter_context(
                create_stack(self._home, self._port, phases.on_event)
            )
            ledger = Ledger(stack.database_url, pool_size=4)
            resources.callback(ledger.close)
            from trials.chaos.model import make_live

            make_live(bundle, ledger, open_store(stack.objects_url))
            with ledger.system_session("chaos") as session:
                hospitals = {name: session.hospitals.ensure(name) for name in HOSPITALS}
                keys = {
                    name: session.api_keys.create_text(Role.SUBMITTER, owner, "chaos")
                    for name, owner in hospitals.items()
                }
            clients = Clients(stack.url, keys)
            resources.callback(clients.close)
            yield TargetStack(
                stack=stack,
                phases=phases,
                clients=clients,
                ledger=ledger,
                hospitals=hospitals,
                random=self._random,
                numbers=itertools.count(self._plan.cases),
                has_small_disk=has_small_disk,
            )

    def _run_load_and_faults(self, target: TargetStack) -> None:
        """Send cases, read results and inject faults in parallel."""
        trial_plan = self._plan
        self._print_line(
            f"{trial_plan.cases} cases over {trial_plan.minutes:g} min, with "
            f"{len(trial_plan.kinds)} kinds of "
            "faults ..."
        )
        cases = plan(trial_plan.cases, trial_plan.seed)
        sending_over = threading.Event()
        sending = threading.Thread(
            target=target.clients.send_all,
            args=(cases, trial_plan.seconds * SENDING_SHARE),
        )
        reading = threading.Thread(
            target=target.clients.read_all, args=(sending_over.is_set,)
        )
        sending.start()
        reading.start()
        try:
            self._inject_faults(target, time.monotonic() + trial_plan.seconds)
            sending.join()
        except BaseException:
            target.clients.give_up()
            raise
        finally:
            sending_over.set()
            self._reading = reading

    def _inject_faults(self, target: TargetStack, deadline: float) -> None:
        """Inject every kind of fault once in random order, then repeat until the time is over."""
        for first_round in itertools.chain([True], itertools.repeat(False)):
            for kind in self._random.sample(self._plan.kinds, len(self._plan.kinds)):
                if not first_round and time.monotonic() > deadline:
                    return
                self._inject(target, kind)

    def _inject(self, target: TargetStack, kind: str) -> None:
        target.pause(FAULT_PAUSE_S[1], FAULT_PAUSE_S[0])
        self._injected[kind] += FAULTS[kind](target)
        self._print_line(f"  {kind}")
        if not target.phases.all_up(HEAL_TIMEOUT_S):
            raise target.not_healed(kind)

    def _settle(self, target: TargetStack) -> bool:
        """Wait until all accepted cases are final; return False if that takes too long."""
        self._print_line("quiet; waiting for what is still open ...")
        self._reading.join(SETTLE_TIMEOUT_S)
        settled = not self._reading.is_alive()
        target.clients.give_up()
        return settled and all(
            record.job is not None and record.job["state"] in FINAL_STATES
            for record in target.clients.records
            if record.receipts
        )

    def _judge(self, target: TargetStack) -> Verdict:
        target.clients.resume()
        listed = {name: target.clients.list_jobs(name) for name in HOSPITALS}
        for record in target.clients.records:
            if record.receipts:
                target.clients.refresh_job(record, wait_s=0)
        return judge(
            target.clients.records,
            listed,
            AuditTrailReader(target.ledger, "chaos").links(),
            broken=self._chains(target),
            rewritten=target.rewritten,
        )

    def _chains(self, target: TargetStack) -> Sequence[str]:
        """Verify the audit chains in the database and in an export of them."""
        key = target.seal_key
        with target.ledger.system_session("chaos") as session:
            session.seals.add(key)
        trail = AuditTrailReader(target.ledger, "chaos")
        file = self._home / "audit.jsonl"
        file.write_text("".join(trail.export_lines()), encoding="utf-8")
        exported = AuditExport(file)
        live_findings = target.verify()
        exported_findings = verify(
            exported.links(),
            exported.seals(),
            is_signed,
            trusted_keys=[key.public],
            witnesses=trail.seals(),
        )
        sentences = [
            finding.sentence
            for finding in (*live_findings.findings, *exported_findings.findings)
        ]
        if not exported.is_complete():
            sentences.append("the export does not end as it was written")
        return sentences
