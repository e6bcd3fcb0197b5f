"""Builds the gateway: the only place where its parts are wired together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool
from starlette.types import Lifespan
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.api import errors, free_memory
from services.api.audit.read_audit import ReadAudit
from services.api.audit.router import router as audit_router
from services.api.cases.router import router as cases_router
from services.api.cases.tables import router as case_tables_router
from services.api.datasets.router import router as datasets_router
from services.api.dependencies import Dependencies
from services.api.hospitals.router import router as hospitals_router
from services.api.jobs.notifications import JobChangeListener
from services.api.jobs.open_waits import OpenWaits
from services.api.jobs.router import router as jobs_router
from services.api.keys.router import router as keys_router
from services.api.locales import LocaleMiddleware
from services.api.middleware import idempotency
from services.api.middleware.authentication import (
    AuthenticationMiddleware,
    session_lifetime,
)
from services.api.middleware.body_limits import BodyLimitMiddleware, BodyLimits
from services.api.middleware.client_address import ClientAddress, trusted_hosts
from services.api.middleware.origin_policy import OriginPolicy
from services.api.middleware.security_headers import SecurityHeadersMiddleware
from services.api.middleware.transactions import POOL_SIZE, Slots, TransactionMiddleware
from services.api.models.card import router as model_cards_router
from services.api.models.router import router as models_router
from services.api.monitoring.dashboards import router as dashboards_router
from services.api.monitoring.memory import AnswerCache
from services.api.monitoring.probe import ReadinessProbe
from services.api.monitoring.prometheus.traffic import TrafficMiddleware
from services.api.monitoring.router import router as monitoring_router
from services.api.people.router import router as people_router
from services.api.previews.router import router as previews_router
from services.api.queue.router import router as queue_router
from services.api.reader_studies.router import router as reader_studies_router
from services.api.reports.router import router as reports_router
from services.api.route_pools import RoutePools
from services.api.session.authenticator_router import router as authenticator_router
from services.api.session.oidc_router import router as oidc_router
from services.api.session.password_hasher import PasswordHasherPool
from services.api.session.provider import IdentityProvider
from services.api.session.router import router as session_router
from services.api.strict_requests import fixed_paths
from services.api.training.router import router as training_router
from services.api.wallboard.router import router as wallboard_router
from services.api.web.router import router as web_router
from services.api.worklist.router import router as worklist_router
from shared.cases.accept import CaseAcceptance
from shared.cases.admission import Admission
from shared.cases.decoder_pool import DecoderPool, open_sandbox
from shared.cases.deidentification import Deidentifier
from shared.cases.intake import ImageIntake
from shared.cases.kept_previews import KeptPreviews, PreviewLimits
from shared.cases.pace import Pace
from shared.ledger import Ledger
from shared.objects import open_store
from shared.queueing import BackgroundNotifier, CeleryNotifier, celery_app
from shared.security.authenticators import Vault
from shared.settings import Settings
from shared.version import VERSION

DESCRIPTION = """Malignancy risk and FNA advice for thyroid nodules on ultrasound.
Research and decision support; not a certified medical device."""

NO_TELEMETRY = TelemetryConfig(
    tracing=False,
    metrics=False,
    logs=False,
    operation_spans=False,
    auto_configure=False,
)
"""FastAPI's own telemetry stays off. It would send request addresses and validation errors to the
exporter that the environment variables name.
"""

COUNTER_POOL_SIZE = 3
"""Additional connections for counts that are kept even if the request fails."""

ROUTERS = (
    session_router,
    authenticator_router,
    oidc_router,
    people_router,
    worklist_router,
    cases_router,
    case_tables_router,
    previews_router,
    reports_router,
    jobs_router,
    queue_router,
    hospitals_router,
    keys_router,
    datasets_router,
    training_router,
    models_router,
    model_cards_router,
    audit_router,
    reader_studies_router,
    dashboards_router,
    wallboard_router,
)
"""Routers whose routes document error responses as problems (RFC 9457)."""


def create_app(settings: Settings) -> FastAPI:
    """Build the gateway. Nothing connects before the app starts."""
    dependencies = build_dependencies(settings)
    app = FastAPI(
        title="SERA",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=_lifespan(dependencies),
        docs_url=None,
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    app.state.dependencies = dependencies
    app.state.fixed_paths = fixed_paths(ROUTERS)
    _add_middleware(app, dependencies)
    errors.install(app)
    idempotency.install(app)
    for router in ROUTERS:
        app.include_router(router, responses=errors.RESPONSES)
    app.include_router(monitoring_router)
    app.include_router(web_router)
    return app


def build_dependencies(settings: Settings) -> Dependencies:
    """Build the objects that routes and middleware share."""
    counter_ledger = _ledger(settings, pool_size=COUNTER_POOL_SIZE)
    objects = open_store(settings.objects)
    notifier = BackgroundNotifier(CeleryNotifier(celery_app(settings.broker)))
    pace = Pace(counter_ledger)
    decoder_pool = DecoderPool(open_sandbox(settings))
    deidentifier = Deidentifier(counter_ledger, decoder_pool)
    intake = ImageIntake(objects, deidentifier, decoder_pool)
    kept_previews = KeptPreviews(intake, PreviewLimits.from_settings(settings))
    acceptance = CaseAcceptance(
        intake=intake,
        kept_previews=kept_previews,
        admission=Admission(counter_ledger, settings, pace),
        notifier=notifier,
        max_upload_bytes=settings.max_upload_bytes,
    )
    provider = None
    if settings.oidc_issuer:
        provider = IdentityProvider(settings, settings.oidc_issuer)
    return Dependencies(
        settings=settings,
        ledger=_ledger(settings, pool_size=POOL_SIZE),
        counter_ledger=counter_ledger,
        objects=objects,
        notifier=notifier,
        job_changes=JobChangeListener(settings.database),
        open_waits=OpenWaits(settings),
        pace=pace,
        acceptance=acceptance,
        answer_cache=AnswerCache(),
        read_audit=ReadAudit(),
        deidentifier=deidentifier,
        intake=intake,
        kept_previews=kept_previews,
        decoder_pool=decoder_pool,
        route_pools=RoutePools(),
        readiness=ReadinessProbe(),
        origin_policy=OriginPolicy(settings.public_url),
        password_hashers=PasswordHasherPool(settings.password_threads),
        vault=Vault(settings),
        provider=provider,
    )


def _ledger(settings: Settings, pool_size: int) -> Ledger:
    return Ledger(
        settings.database,
        pool_size=pool_size,
        statement_timeout_s=settings.statement_timeout_s,
    )


def _lifespan(dependencies: Dependencies) -> Lifespan[FastAPI]:
    """Run background work while the app runs, and close all resources when the app stops.

    Costly requests have threads in addition to those of all others, which so never wait for one of
    them.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweeper = idempotency.sweep_receipts_periodically(
            dependencies.ledger, dependencies.settings
        )
        threads = current_default_thread_limiter()
        threads.total_tokens += dependencies.route_pools.place_count
        memory = free_memory.return_periodically()
        async with dependencies.job_changes.listen(), sweeper, memory:
            yield
        await run_in_threadpool(dependencies.notifier.close)
        dependencies.readiness.close()
        dependencies.password_hashers.close()
        dependencies.decoder_pool.close()
        dependencies.deidentifier.close()
        dependencies.ledger.close()
        dependencies.counter_ledger.close()

    return lifespan


def _add_middleware(app: FastAPI, dependencies: Dependencies) -> None:
    """Starlette runs the middleware that is added last first."""
    settings = dependencies.settings
    app.add_middleware(TransactionMiddleware, settings=settings)
    app.add_middleware(
        AuthenticationMiddleware,
        ledger=dependencies.ledger,
        slots=Slots(),
        origin_policy=dependencies.origin_policy,
        session_lifetime=session_lifetime(settings),
        admission=dependencies.acceptance.admission,
    )
    app.add_middleware(ClientAddress)
    app.add_middleware(
        ProxyHeadersMiddleware,
        trusted_hosts=trusted_hosts(settings.trusted_proxies),
    )
    app.add_middleware(BodyLimitMiddleware, limits=BodyLimits.from_settings(settings))
    app.add_middleware(SecurityHeadersMiddleware, public_url=settings.public_url)
    app.add_middleware(TrafficMiddleware)
    app.add_middleware(LocaleMiddleware)
