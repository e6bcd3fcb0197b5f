"""What `./sera doctor` looks at in a SERA that serves: its engines, its queue, its backups, its
certificate.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.output.check import Finding, Verdict
from deploy.local.errors import StackNotRunning
from deploy.local.state import StackState
from shared.domain.audit.events import Event
from shared.ledger import Ledger, SystemSession
from shared.ledger.audit.repository import EventFilter
from shared.ledger.schema.compatibility import check_compatible, head
from shared.ledger.training.trainers import MissingWeights
from shared.objects import open_store
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.queueing.broker_info import BrokerFacts

NOT_SERVING = (
    "SERA does not run here, so its engines, queue and backups were not looked at. "
    "Ask again after `./sera up`"
)
ABSENT_OBJECT = "0" * 64
MIN_POSTGRES_VERSION = 15
MIN_REDIS_VERSION = 7
MAX_CLOCK_SKEW_S = 2.0
CLOCK_SKEW_FAILS_S = 30.0
"""More than a network's delay; more than authenticators' codes are forgiven."""
RENEW_DAYS = 21
"""Certificates of 90 days are renewed when 30 are left: below this the renewal has failed for a
week.
"""
DAY_S = 86_400.0
HOUR_S = 3_600.0
CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Addresses:
    database: str
    broker: str
    objects: str


def addresses(settings: Settings) -> Addresses:
    """Of one's own engines, else of the stack that runs here. Raises StackNotRunning."""
    if settings.database_url and settings.broker_url:
        return Addresses(settings.database, settings.broker, settings.objects)
    running = StackState.load(settings.home)
    return Addresses(running.database_url, running.broker_url, running.objects_url)


def database(_: Settings, where: Addresses) -> Finding:
    with _house(where) as session:
        version = session.schema_terms.server()
    if int(version.split(".")[0]) >= MIN_POSTGRES_VERSION:
        return Verdict.OK, f"PostgreSQL {version}"
    return (
        Verdict.FAIL,
        (
            f"PostgreSQL {version} is older than {MIN_POSTGRES_VERSION}. Move to a newer one: "
            "docs/recovery.md"
        ),
    )


def broker(_: Settings, where: Addresses) -> Finding:
    found = _broker(where)
    if int(found.version.split(".")[0]) >= MIN_REDIS_VERSION:
        return Verdict.OK, f"{found.name} {found.version}"
    return (
        Verdict.FAIL,
        (
            f"{found.name} {found.version} is older than {MIN_REDIS_VERSION}. Move to a newer one, "
            "or to Valkey"
        ),
    )


def objects(_: Settings, where: Addresses) -> Finding:
    open_store(where.objects).exists(ABSENT_OBJECT)
    parts = urlsplit(where.objects)
    return Verdict.OK, f"they answer at {parts.hostname or ''}{parts.path}"


def schema(_: Settings, where: Addresses) -> Finding:
    with _house(where) as session:
        found = session.schema_terms.read()
    check_compatible(found)
    if found.revision == head():
        return Verdict.OK, f"{found.revision}, as this release has it"
    told = (
        f"{found.revision} is of a later release, and this one ({head()}) still goes with "
        "it. Update this machine too"
    )
    return Verdict.NOTE, told


def clocks(_: Settings, where: Addresses) -> Finding:
    """Leases and sessions go by the database's clock, authenticators' codes by the gateway's."""
    with _house(where) as session:
        session.schema_terms.now()  # the connection is made, and the next answer comes at once
        database = _ahead_s(lambda: session.schema_terms.now().timestamp())
    found = {
        "the database": database,
        "the broker": _ahead_s(lambda: _now(_broker(where))),
    }
    told = ", ".join(f"{name} {ahead:+.1f} s" for name, ahead in found.items())
    worst = max(map(abs, found.values()))
    if worst < MAX_CLOCK_SKEW_S:
        return Verdict.OK, f"against this machine's: {told}"
    verdict = Verdict.FAIL if worst >= CLOCK_SKEW_FAILS_S else Verdict.NOTE
    return (
        verdict,
        (
            f"Clocks differ from this machine's: {told}. Have NTP set them all: `timedatectl "
            "set-ntp true`"
        ),
    )


def queue(settings: Settings, where: Addresses) -> Finding:
    with _house(where) as session:
        waited_s = session.liveness.longest_wait_s()
        lines = session.backlog.waiting()
        dead = session.backlog.dead_letter_summaries()
    waiting = sum(line.jobs for line in lines)
    failed = sum(each.jobs for each in dead)
    told = (
        f"{waiting} cases wait, the oldest for {waited_s:.0f} s; {failed} dead letters"
    )
    if waited_s > settings.stalled_after_s:
        return (
            Verdict.FAIL,
            f"{told}. See what keeps the workers: their logs, and `./sera models list`",
        )
    if failed:
        return (
            Verdict.NOTE,
            f"{told}. An operator looks at them and runs them again on the page /console/queue",
        )
    return Verdict.OK, told


def workers(_: Settings, where: Addresses) -> Finding:
    with _house(where) as session:
        alive = session.serving.present_workers()
        live = session.models.live_digest()
    if not alive:
        return (
            Verdict.FAIL,
            "No worker was seen lately. Start one, or see in its log why it does not start",
        )
    told = ", ".join(
        f"{each.name} serves {(each.model_digest or 'nothing')[:12]}" for each in alive
    )
    refused = [str(each.refusal.reason) for each in alive if each.refusal]
    if refused:
        return Verdict.FAIL, f"{told}. A worker refuses the live model: {refused[0]}"
    if live is None:
        return (
            Verdict.NOTE,
            f"{told}. No model is live: train one, then `./sera models promote`",
        )
    return Verdict.OK, told


def backup(settings: Settings, where: Addresses) -> Finding:
    """The trail says when the last one was made, and under which hash."""
    with _house(where) as session:
        last = session.audit.newest(
            limit=1, filters=EventFilter(event=Event.BACKUP_MADE)
        )
        now = session.schema_terms.now()
    made_at = last[0].at if last else None
    if made_at is None:
        return (
            Verdict.NOTE,
            "None was ever made. Make one: `./sera backup FOLDER`, and every day from then on",
        )
    told = f"{last[0].details['backup']}, {_age(made_at, now)} ago"
    if (now - made_at).total_seconds() <= settings.backup_within_h * HOUR_S:
        return Verdict.OK, told
    return (
        Verdict.NOTE,
        f"The last is {told}. Make one (`./sera backup FOLDER`), and see why the timer did not",
    )


def recipes(_: Settings, where: Addresses) -> Finding:
    """By what trainers told of themselves: it is they who need the weights."""
    with _house(where) as session:
        trainers = session.trainers.present()
    if not trainers:
        return (
            Verdict.NOTE,
            "No trainer was seen lately, so no model can be trained. Start one",
        )
    lacks = {
        recipe: _files(missing)
        for each in trainers
        for recipe, missing in each.missing_weights.items()
    }
    told = "; ".join(
        f"{recipe} lacks {files}" for recipe, files in sorted(lacks.items()) if files
    )
    if not told:
        return (
            Verdict.OK,
            "every recipe has its weights, or fetches them when it is first asked for",
        )
    return Verdict.NOTE, f"{told}. Put the files into SERA_WEIGHTS_DIR of the trainers"


def certificate(settings: Settings) -> Finding:
    """Of SERA_PUBLIC_URL, as a browser on this machine sees it."""
    parts = urlsplit(settings.public_url or "")
    if parts.scheme != "https":
        return Verdict.OK, "SERA_PUBLIC_URL names no https:// address"
    try:
        left = _certificate_days(parts.hostname or "", parts.port or 443)
    except ssl.SSLCertVerificationError as refused:
        return (
            Verdict.FAIL,
            (
                f"{parts.netloc} is not trusted: {refused.verify_message}. Renew or replace its "
                "certificate"
            ),
        )
    except OSError as away:
        return (
            Verdict.NOTE,
            f"{parts.netloc} does not answer here ({away}). Look from where hospitals come from",
        )
    if left >= RENEW_DAYS:
        return Verdict.OK, f"{parts.netloc}: good for {left:.0f} days"
    return (
        Verdict.NOTE,
        f"{parts.netloc}: good for {left:.0f} days only. Renew it now, and see why nobody did",
    )


ENGINE_CHECKS: dict[str, Callable[[Settings, Addresses], Finding]] = {
    "database": database,
    "broker": broker,
    "objects": objects,
    "schema": schema,
    "clocks": clocks,
    "queue": queue,
    "workers": workers,
    "recipes": recipes,
    "backup": backup,
}


Check = Callable[[Settings], Finding]


def checks(settings: Settings) -> dict[str, Check]:
    """Those that can be made now."""
    try:
        where = addresses(settings)
    except StackNotRunning:
        return {
            "service": lambda _: (Verdict.NOTE, NOT_SERVING),
            "certificate": certificate,
        }
    engines = {name: _at(look, where) for name, look in ENGINE_CHECKS.items()}
    return engines | {"certificate": certificate}


def _at(look: Callable[[Settings, Addresses], Finding], where: Addresses) -> Check:
    def check(settings: Settings) -> Finding:
        return look(settings, where)

    return check


def _certificate_days(host: str, port: int) -> float:
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S) as line,
        context.wrap_socket(line, server_hostname=host) as secured,
    ):
        certificate = secured.getpeercert() or {}
        ends_at = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        return (ends_at - time.time()) / DAY_S


def _ahead_s(ask: Callable[[], float]) -> float:
    """How far another clock is ahead of ours, asked for half-way between the question and the
    answer.
    """
    before = time.time()
    there = ask()
    return there - (before + time.time()) / 2


def _broker(where: Addresses) -> "BrokerFacts":
    from shared.queueing.broker_info import broker_facts  # Celery comes with it

    return broker_facts(where.broker)


def _now(facts: "BrokerFacts") -> float:
    return facts.now_s


def _age(at: datetime, now: datetime) -> str:
    hours = (now - at).total_seconds() / HOUR_S
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"


def _files(missing: tuple[MissingWeights, ...]) -> str:
    """Those that nobody will fetch."""
    return ", ".join(lack.files for lack in missing if not lack.url)


@contextmanager
def _house(where: Addresses) -> Iterator[SystemSession]:
    ledger = Ledger(where.database, pool_size=1)
    try:
        with ledger.system_session("cli") as session:
            yield session
    finally:
        ledger.close()
