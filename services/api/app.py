"""The only place where the gateway is wired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.api import errors
from services.api.audit.read_audit import ReadAudit
from services.api.audit.router import router as audit
from services.api.cases.router import router as cases
from services.api.datasets.router import router as datasets
from services.api.decoder_pool import DecoderPool
from services.api.dependencies import Wiring
from services.api.hospitals.router import router as hospitals
from services.api.jobs.notifications import JobWatch
from services.api.jobs.router import router as jobs
from services.api.keys.router import router as keys
from services.api.locales import Listener
from services.api.middleware import idempotency
from services.api.middleware.authentication import AuthenticationMiddleware, lifetime
from services.api.middleware.body_limits import BodyCap, Bounds
from services.api.middleware.client_address import ClientAddress, trusted_hosts
from services.api.middleware.origin_policy import Site
from services.api.middleware.security_headers import SafeHeaders
from services.api.middleware.transactions import POOL_SIZE, Slots, TransactionMiddleware
from services.api.models.card import router as cards
from services.api.models.router import router as models
from services.api.monitoring.dashboards import router as dashboards
from services.api.monitoring.memory import AnswerCache
from services.api.monitoring.prometheus.traffic import Traffic
from services.api.monitoring.router import router as monitoring
from services.api.people.router import router as people
from services.api.previews.router import router as looks
from services.api.queue.router import router as queue
from services.api.reader_studies.router import router as reader_studies
from services.api.reports.router import router as reports
from services.api.session.password_hasher import Bench
from services.api.session.provider import Provider
from services.api.session.routers import ROUTERS as sessions
from services.api.training.router import router as training
from services.api.wallboard.router import router as wall
from services.api.web.router import router as web
from services.api.worklist.router import router as worklist
from shared.cases.accept import CaseAcceptance
from shared.cases.admission import Admission
from shared.cases.deidentification import Deidentifier
from shared.cases.pace import Pace
from shared.ledger import Ledger
from shared.objects import open_store
from shared.queueing import CeleryDoorbell, celery_app
from shared.security.authenticators import Vault
from shared.settings import Settings
from shared.version import VERSION

ABOUT = """Malignancy risk and FNA advice for thyroid nodules on ultrasound.
Research and decision support; not a certified medical device."""

SILENT = TelemetryConfig(
    tracing=False,
    metrics=False,
    logs=False,
    operation_spans=False,
    auto_configure=False,
)
"""FastAPI's own would tell addresses and what was wrong with a body, by whatever stands in the environment."""

COUNTERS_POOL_SIZE = 3
"""Connections beside those of requests, for what counts whatever becomes of a request."""

ROUTERS = (
    *sessions,
    people,
    worklist,
    cases,
    looks,
    reports,
    jobs,
    queue,
    hospitals,
    keys,
    datasets,
    training,
    models,
    cards,
    audit,
    reader_studies,
    dashboards,
    wall,
)
"""Whose answers are documented with the problems they may be."""


def create_app(settings: Settings) -> FastAPI:
    """Build the gateway; nothing connects before the app starts."""
    ledger = Ledger(settings.database, pool_size=POOL_SIZE)
    counters = Ledger(settings.database, pool_size=COUNTERS_POOL_SIZE)
    objects = open_store(settings.objects)
    doorbell = CeleryDoorbell(celery_app(settings.broker))
    pace = Pace(counters)
    admission = Admission(counters, settings, pace)
    deidentifier = Deidentifier(counters)
    site = Site(settings.public_url)
    bench = Bench(settings.password_threads)
    wired = Wiring(
        settings=settings,
        ledger=ledger,
        counters=counters,
        objects=objects,
        doorbell=doorbell,
        watch=JobWatch(settings.database),
        pace=pace,
        acceptance=CaseAcceptance(
            objects=objects,
            deidentifier=deidentifier,
            admission=admission,
            doorbell=doorbell,
            max_upload_bytes=settings.max_upload_bytes,
        ),
        answer_cache=AnswerCache(),
        read_audit=ReadAudit(),
        deidentifier=deidentifier,
        decoder_pool=DecoderPool(settings),
        site=site,
        bench=bench,
        vault=Vault(settings),
        provider=Provider(settings, settings.oidc_issuer)
        if settings.oidc_issuer
        else None,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with wired.watch.listening(), idempotency.sweeping(ledger, settings):
            yield
        bench.close()
        wired.decoder_pool.close()
        wired.deidentifier.close()
        ledger.close()
        counters.close()

    app = FastAPI(
        title="SERA",
        version=VERSION,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=SILENT,
    )
    app.state.wiring = wired
    app.add_middleware(TransactionMiddleware, settings=settings)
    app.add_middleware(
        AuthenticationMiddleware,
        ledger=ledger,
        slots=Slots(),
        site=site,
        lifetime=lifetime(settings),
        admission=admission,
    )
    app.add_middleware(ClientAddress)
    app.add_middleware(
        ProxyHeadersMiddleware,
        trusted_hosts=trusted_hosts(settings.trusted_proxies),
    )
    app.add_middleware(BodyCap, bounds=Bounds.of(settings))
    app.add_middleware(SafeHeaders, public_url=settings.public_url)
    app.add_middleware(Traffic)
    app.add_middleware(Listener)
    errors.install(app)
    idempotency.install(app)
    for router in ROUTERS:
        app.include_router(router, responses=errors.RESPONSES)
    app.include_router(monitoring)
    app.include_router(web)
    return app
