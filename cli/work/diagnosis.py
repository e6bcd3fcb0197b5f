"""The checks of `./sera doctor` on a running SERA: engines, queue, backups and certificate."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.output.check import Finding, Verdict, fail, note, ok
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
"""`MAX_CLOCK_SKEW_S` is more than a network's delay. From a skew of `CLOCK_SKEW_FAILS_S` on, codes
of authenticators are refused.
"""
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
    """Return the addresses of the user's own engines, else of the stack that runs on this machine.
    Raises StackNotRunning.
    """
    if settings.database_url and settings.broker_url:
        return Addresses(
            database=settings.database,
            broker=settings.broker,
            objects=settings.objects,
        )
    running = StackState.load(settings.home)
    return Addresses(
        database=running.database_url,
        broker=running.broker_url,
        objects=running.objects_url,
    )


def database(_: Settings, engines: Addresses) -> Finding:
    with _system_session(engines) as session:
        version = session.schema_terms.server()
    if _major(version) >= MIN_POSTGRES_VERSION:
        return ok(f"PostgreSQL {version}")
    return fail(
        f"PostgreSQL {version} is older than {MIN_POSTGRES_VERSION}. Move to a newer one: "
        "docs/recovery.md"
    )


def broker(_: Settings, engines: Addresses) -> Finding:
    facts = _broker_facts(engines)
    if _major(facts.version) >= MIN_REDIS_VERSION:
        return ok(f"{facts.name} {facts.version}")
    return fail(
        f"{facts.name} {facts.version} is older than {MIN_REDIS_VERSION}. Move to a newer "
        "one, or to Valkey"
    )


def objects(_: Settings, engines: Addresses) -> Finding:
    open_store(engines.objects).exists(ABSENT_OBJECT)
    parts = urlsplit(engines.objects)
    return ok(f"they answer at {parts.hostname or ''}{parts.path}")


def schema(_: Settings, engines: Addresses) -> Finding:
    with _system_session(engines) as session:
        terms = session.schema_terms.read()
    check_compatible(terms)
    if terms.revision == head():
        return ok(f"{terms.revision}, as this release has it")
    return note(
        f"{terms.revision} is of a later release, and this one ({head()}) still goes with "
        "it. Update this machine too"
    )


def clocks(_: Settings, engines: Addresses) -> Finding:
    """Compare clocks.

    Leases and sessions use the database's clock, authenticators' codes the gateway's.
    """
    with _system_session(engines) as session:
        # The first query opens the connection, so that the second query returns immediately.
        session.schema_terms.now()
        database_skew_s = _skew_s(lambda: session.schema_terms.now().timestamp())
    broker_skew_s = _skew_s(lambda: _broker_now_s(engines))
    skews = f"the database {database_skew_s:+.1f} s, the broker {broker_skew_s:+.1f} s"
    max_skew_s = max(abs(database_skew_s), abs(broker_skew_s))
    if max_skew_s < MAX_CLOCK_SKEW_S:
        return ok(f"against this machine's: {skews}")
    verdict = Verdict.FAIL if max_skew_s >= CLOCK_SKEW_FAILS_S else Verdict.NOTE
    detail = (
        f"Clocks differ from this machine's: {skews}. Have NTP set them all: `timedatectl "
        "set-ntp true`"
    )
    return Finding(verdict, detail)


def queue(settings: Settings, engines: Addresses) -> Finding:
    with _system_session(engines) as session:
        waited_s = session.liveness.longest_wait_s()
        lines = session.backlog.waiting()
        dead_letters = session.backlog.dead_letter_summaries()
    count_waiting = sum(line.jobs for line in lines)
    count_dead = sum(summary.jobs for summary in dead_letters)
    counts = (
        f"{count_waiting} cases wait, the oldest for {waited_s:.0f} s; "
        f"{count_dead} dead letters"
    )
    if waited_s > settings.stalled_after_s:
        return fail(
            f"{counts}. See what keeps the workers: their logs, and `./sera models list`"
        )
    if count_dead:
        return note(
            f"{counts}. An operator looks at them and runs them again on the page "
            "/console/queue"
        )
    return ok(counts)


def workers(_: Settings, engines: Addresses) -> Finding:
    with _system_session(engines) as session:
        present_workers = session.serving.present_workers()
        live_digest = session.models.live_digest()
    if not present_workers:
        return fail(
            "No worker was seen lately. Start one, or see in its log why it does not start"
        )
    models = []
    refusals = []
    for worker in present_workers:
        model = (worker.model_digest or "nothing")[:12]
        models.append(f"{worker.name} serves {model}")
        if worker.refusal:
            refusals.append(str(worker.refusal.reason))
    summary = ", ".join(models)
    if refusals:
        return fail(f"{summary}. A worker refuses the live model: {refusals[0]}")
    if live_digest is None:
        return note(
            f"{summary}. No model is live: train one, then `./sera models promote`"
        )
    return ok(summary)


def backup(settings: Settings, engines: Addresses) -> Finding:
    """Look up the last backup in the audit trail."""
    with _system_session(engines) as session:
        events = session.audit.newest(
            limit=1, filters=EventFilter(event=Event.BACKUP_MADE)
        )
        now = session.schema_terms.now()
    made_at = events[0].at if events else None
    if made_at is None:
        return note(
            "None was ever made. Make one: `./sera backup FOLDER`, and every day from then "
            "on"
        )
    last_backup = f"{events[0].details['backup']}, {_age(made_at, now)} ago"
    age_s = (now - made_at).total_seconds()
    if age_s <= settings.backup_within_h * HOUR_S:
        return ok(last_backup)
    return note(
        f"The last is {last_backup}. Make one (`./sera backup FOLDER`), and see why the "
        "timer did not"
    )


def recipes(_: Settings, engines: Addresses) -> Finding:
    """Report missing weights as trainers registered them, because only trainers need weights."""
    with _system_session(engines) as session:
        trainers = session.trainers.present()
    if not trainers:
        return note("No trainer was seen lately, so no model can be trained. Start one")
    files_by_recipe: dict[str, str] = {}
    for trainer in trainers:
        for recipe, missing in trainer.missing_weights.items():
            files_by_recipe[recipe] = _files_to_provide(missing)
    sentences = [
        f"{recipe} lacks {files}"
        for recipe, files in sorted(files_by_recipe.items())
        if files
    ]
    if not sentences:
        return ok(
            "every recipe has its weights, or fetches them when it is first asked for"
        )
    return note(
        f"{'; '.join(sentences)}. Put the files into SERA_WEIGHTS_DIR of the trainers"
    )


def certificate(settings: Settings) -> Finding:
    """Check the certificate of SERA_PUBLIC_URL as a browser on this machine would."""
    parts = urlsplit(settings.public_url or "")
    if parts.scheme != "https":
        return ok("SERA_PUBLIC_URL names no https:// address")
    try:
        days_left = _certificate_days(parts.hostname or "", parts.port or 443)
    except ssl.SSLCertVerificationError as error:
        return fail(
            f"{parts.netloc} is not trusted: {error.verify_message}. Renew or replace its "
            "certificate"
        )
    except OSError as error:
        return note(
            f"{parts.netloc} does not answer here ({error}). Look from where hospitals "
            "come from"
        )
    if days_left >= RENEW_DAYS:
        return ok(f"{parts.netloc}: good for {days_left:.0f} days")
    return note(
        f"{parts.netloc}: good for {days_left:.0f} days only. Renew it now, and see why "
        "nobody did"
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
    """Return the checks that are possible now. Engines can be checked only while SERA runs on this
    machine.
    """
    try:
        engines = addresses(settings)
    except StackNotRunning:
        return {
            "service": lambda _: note(NOT_SERVING),
            "certificate": certificate,
        }
    bound_checks: dict[str, Check] = {
        name: _bind(check, engines) for name, check in ENGINE_CHECKS.items()
    }
    return bound_checks | {"certificate": certificate}


def _bind(
    engine_check: Callable[[Settings, Addresses], Finding], engines: Addresses
) -> Check:
    def check(settings: Settings) -> Finding:
        return engine_check(settings, engines)

    return check


def _major(version: str) -> int:
    return int(version.split(".")[0])


def _certificate_days(host: str, port: int) -> float:
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S) as connection,
        context.wrap_socket(connection, server_hostname=host) as tls_connection,
    ):
        certificate = tls_connection.getpeercert() or {}
    ends_at_s = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return (ends_at_s - time.time()) / DAY_S


def _skew_s(read_clock_s: Callable[[], float]) -> float:
    """Return the number of seconds by which another clock is ahead of this machine's clock.

    It assumes that the other clock was read half-way between the request and the response.
    """
    sent_at_s = time.time()
    clock_s = read_clock_s()
    received_at_s = time.time()
    return clock_s - (sent_at_s + received_at_s) / 2


def _broker_facts(engines: Addresses) -> "BrokerFacts":
    from shared.queueing.broker_info import broker_facts  # imports Celery

    return broker_facts(engines.broker)


def _broker_now_s(engines: Addresses) -> float:
    return _broker_facts(engines).now_s


def _age(at: datetime, now: datetime) -> str:
    hours = (now - at).total_seconds() / HOUR_S
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"


def _files_to_provide(missing: tuple[MissingWeights, ...]) -> str:
    """Name the files that are not downloaded automatically."""
    return ", ".join(weights.files for weights in missing if not weights.url)


@contextmanager
def _system_session(engines: Addresses) -> Iterator[SystemSession]:
    ledger = Ledger(engines.database, pool_size=1)
    try:
        with ledger.system_session("cli") as session:
            yield session
    finally:
        ledger.close()
