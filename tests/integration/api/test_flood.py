"""Many costly requests at the same time: others are answered, and the many are bounded."""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Semaphore

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import text

from services.api.app import ROUTERS
from services.api.audit.service import AuditService
from services.api.cases import router as cases
from services.api.cases.explanation import ExplanationService
from services.api.cases.picture import CaseImage
from services.api.monitoring.service import MonitoringService
from services.api.previews import router as previews
from services.api.reports import router as reports
from services.api.route_pools import (
    LIMITS,
    HeldPlace,
    PoolLimits,
    RoutePool,
    RoutePools,
)
from services.api.web.page import HeldPagePlace
from services.api.web.router import PAGES
from services.api.worklist import router as worklist
from shared.domain.roles import Role
from shared.errors import NotFound
from shared.observability.metrics import REGISTRY
from tests.support.app import create_app
from tests.support.builders import form, png
from tests.support.http_server import served
from tests.support.observations import Observing

ANSWER_S = 60.0
CLIENTS_OF_ONE_KIND = 6
HOSPITALS = ("north", "west")
WORK = {
    RoutePool.PREVIEWS: (previews, "create_preview"),
    RoutePool.REPORTS: (reports, "gather"),
    RoutePool.IMAGES: (CaseImage, "response"),
    RoutePool.EXPLANATIONS: (ExplanationService, "maps"),
    RoutePool.SIMILAR: (cases, "similar"),
    RoutePool.VERIFICATION: (AuditService, "verify"),
    RoutePool.EXPORTS: (worklist, "export_rows"),
    RoutePool.MONITORING: (MonitoringService, "answer"),
}
"""The function that does the work of a route of each pool."""
PATHS = {
    RoutePool.REPORTS: "/v1/cases/{case}/report.pdf",
    RoutePool.IMAGES: "/v1/cases/{case}/image.png",
    RoutePool.EXPLANATIONS: "/v1/cases/{case}/explanation",
    RoutePool.SIMILAR: "/v1/cases/{case}/similar",
    RoutePool.VERIFICATION: "/v1/audit/verify",
    RoutePool.EXPORTS: "/v1/cases.csv",
    RoutePool.MONITORING: "/v1/monitoring/drift",
}
COSTLY_PATHS = (
    "/v1/previews",
    "/v1/cases/{case_id}/report.pdf",
    "/v1/cases/{case_id}/image.png",
    "/v1/cases/{case_id}/explanation",
    "/v1/cases/{case_id}/explanation.png",
    "/v1/cases/{case_id}/explanation/heat.png",
    "/v1/cases/{case_id}/similar",
    "/v1/audit/verify",
    "/v1/audit/export",
    "/v1/cases.csv",
    "/v1/monitoring/drift",
    "/v1/monitoring/quality",
    "/v1/monitoring/performance",
    "/v1/monitoring/coverage",
    "/v1/reader-studies/{study_id}/analysis",
    "/v1/reader-studies/{study_id}/readings.csv",
    "/v1/reader-studies/{study_id}/cases/{case_id}/image.png",
    "/console/monitoring",
    "/studies/{study_id}",
)


class Gate:
    """Work that lasts until the gate opens."""

    def __init__(self) -> None:
        self.entered = Semaphore(0)
        self.is_open = Event()

    def work(self, *_: object, **__: object) -> None:
        self.entered.release()
        assert self.is_open.wait(ANSWER_S)
        raise NotFound(thing="case")

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.entered.acquire(timeout=ANSWER_S)


@pytest.fixture
def gate(monkeypatch):
    gate = Gate()
    for owner, name in WORK.values():
        monkeypatch.setattr(owner, name, gate.work)
    yield gate
    gate.is_open.set()


@pytest.fixture
def threads(gate):
    """Threads of clients. The gate opens before they are waited for."""
    with ThreadPoolExecutor(200) as pool:
        yield pool
        gate.is_open.set()


def request(client: TestClient, pool: RoutePool, case_id: str):
    if pool is RoutePool.PREVIEWS:
        return client.post("/v1/previews", files=form(png(1))["files"])
    return client.get(PATHS[pool].format(case=case_id))


def with_pools(gateway: TestClient, pools: RoutePools) -> RoutePools:
    state = gateway.app.state
    state.dependencies = replace(state.dependencies, route_pools=pools)
    return pools


def ended(pool: RoutePool, outcome: str) -> float:
    """How many requests of this pool have ended so."""
    labels = {"pool": pool, "outcome": outcome}
    name = "sera_route_pool_requests_total"
    return REGISTRY.get_sample_value(name, labels) or 0.0


def figure(name: str, pool: RoutePool) -> float:
    return REGISTRY.get_sample_value(name, {"pool": pool})


def wait_until(condition) -> None:
    waited = Event()
    for _ in range(int(ANSWER_S / 0.01)):
        if condition():
            return
        waited.wait(0.01)
    pytest.fail("It did not happen.")


def test_every_costly_route_holds_a_place_of_a_pool():
    routers = [*ROUTERS, *(page.router for page in PAGES)]
    paths = {
        route.path
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for dependency in route.dependencies
        if isinstance(dependency.dependency, HeldPlace | HeldPagePlace)
    }
    assert paths == set(COSTLY_PATHS)


def test_others_are_answered_while_every_place_of_every_pool_is_taken(
    gateway, as_role, gate, threads
):
    south = as_role(hospital="south")
    job_id = south.post("/v1/cases", **form()).json()["job_id"]
    for hospital in HOSPITALS:
        client = as_role(Role.HOSPITAL_ADMIN, hospital)
        case_id = client.post("/v1/cases", **form()).json()["case_id"]
        for pool in RoutePool:
            for _ in range(CLIENTS_OF_ONE_KIND):
                threads.submit(request, client, pool, case_id)
    gate.wait_for(sum(limits.places for limits in LIMITS.values()))
    acts = (
        threads.submit(south.get, "/v1/session"),
        threads.submit(south.post, "/v1/cases", **form(png(2))),
        threads.submit(south.get, f"/v1/jobs/{job_id}"),
        threads.submit(south.get, f"/v1/jobs/{job_id}", params={"wait": 0.01}),
        threads.submit(south.get, "/v1/cases"),
        threads.submit(gateway.get, "/readyz"),
    )
    statuses = [act.result(timeout=ANSWER_S).status_code for act in acts]
    assert statuses == [200, 202, 200, 200, 200, 200]
    assert not gate.is_open.is_set()


def test_a_hospital_leaves_a_place_of_each_pool_to_others(as_role, gate, threads):
    for hospital in HOSPITALS:
        client = as_role(Role.HOSPITAL_ADMIN, hospital)
        case_id = client.post("/v1/cases", **form()).json()["case_id"]
        for _ in range(CLIENTS_OF_ONE_KIND):
            threads.submit(request, client, RoutePool.SIMILAR, case_id)
        gate.wait_for(LIMITS[RoutePool.SIMILAR].held)
    assert not gate.entered.acquire(timeout=0.05)


def test_a_request_that_holds_its_place_too_long_keeps_nobody_out(
    gateway, as_role, gate, threads
):
    one_place = {pool: PoolLimits(places=1) for pool in RoutePool}
    with_pools(gateway, RoutePools(one_place, hold_s=0.05))
    for hospital in HOSPITALS:
        client = as_role(Role.HOSPITAL_ADMIN, hospital)
        case_id = client.post("/v1/cases", **form()).json()["case_id"]
        threads.submit(request, client, RoutePool.SIMILAR, case_id)
        gate.wait_for(1)
    assert not gate.is_open.is_set()


def test_a_request_beyond_the_queue_is_refused_at_once(gateway, as_role, gate, threads):
    pools = with_pools(
        gateway, RoutePools({RoutePool.MONITORING: PoolLimits(places=1, waiting=1)})
    )
    assert pools.place_count == 1
    client = as_role(Role.HOSPITAL_ADMIN)
    refused = ended(RoutePool.MONITORING, "refused")
    threads.submit(request, client, RoutePool.MONITORING, "")
    gate.wait_for(1)
    threads.submit(request, client, RoutePool.MONITORING, "")
    wait_until(lambda: figure("sera_route_pool_waiting", RoutePool.MONITORING) == 1)
    answer = request(client, RoutePool.MONITORING, "")
    assert (answer.status_code, answer.json()["code"]) == (503, "too-many-at-once")
    assert answer.headers["Retry-After"] == "5"
    assert figure("sera_route_pool_places_held", RoutePool.MONITORING) == 1
    assert ended(RoutePool.MONITORING, "refused") == refused + 1


def test_a_request_that_waited_too_long_is_refused(gateway, as_role, gate, threads):
    pool = RoutePool.EXPORTS
    with_pools(gateway, RoutePools({pool: PoolLimits(places=1)}, wait_s=0.05))
    client = as_role(Role.HOSPITAL_ADMIN)
    threads.submit(request, client, pool, "")
    gate.wait_for(1)
    answer = request(client, pool, "")
    assert (answer.status_code, answer.json()["code"]) == (503, "too-many-at-once")
    assert figure("sera_route_pool_waiting", pool) == 0


def test_a_request_that_waited_is_done_when_its_turn_comes(
    gateway, as_role, gate, threads
):
    pool = RoutePool.VERIFICATION
    with_pools(gateway, RoutePools({pool: PoolLimits(places=1)}, wait_s=ANSWER_S))
    client = as_role(Role.HOSPITAL_ADMIN)
    threads.submit(request, client, pool, "")
    gate.wait_for(1)
    second = threads.submit(request, client, pool, "")
    wait_until(lambda: figure("sera_route_pool_waiting", pool) == 1)
    gate.is_open.set()
    assert second.result(timeout=ANSWER_S).json()["code"] == "not-found"
    wait_until(lambda: figure("sera_route_pool_places_held", pool) == 0)


class TestGoneClients:
    """Clients that close their connection, on a real socket."""

    @pytest.fixture
    def app(self, settings):
        return create_app(settings)

    @pytest.fixture
    def port(self, app):
        with socket.create_server(("127.0.0.1", 0)) as listener, served(app, listener):
            yield listener.getsockname()[1]

    def test_a_client_that_goes_gives_its_place_in_the_queue_back(
        self, app, port, make_key, gate
    ):
        pool = RoutePool.MONITORING
        pools = RoutePools({pool: PoolLimits(places=1)}, wait_s=ANSWER_S)
        app.state.dependencies = replace(app.state.dependencies, route_pools=pools)
        abandoned = ended(pool, "abandoned")
        key = make_key(Role.HOSPITAL_ADMIN)
        with open_request(port, key, "/v1/monitoring/drift"):
            gate.wait_for(1)
            with open_request(port, key, "/v1/monitoring/drift"):
                wait_until(lambda: figure("sera_route_pool_waiting", pool) == 1)
            wait_until(lambda: figure("sera_route_pool_waiting", pool) == 0)
            assert ended(pool, "abandoned") == abandoned + 1
            gate.is_open.set()

    def test_the_statement_of_a_client_that_goes_ends(self, port, make_key, ledger):
        pool = RoutePool.SIMILAR
        case_id = Observing(ledger).result(embedding=(0.0, 0.0))
        key = make_key()
        with ledger.engine.begin() as connection:
            connection.execute(text("LOCK TABLE observations IN ACCESS EXCLUSIVE MODE"))
            with open_request(port, key, f"/v1/cases/{case_id}/similar"):
                wait_until(lambda: is_a_statement_blocked(ledger))
                assert figure("sera_route_pool_places_held", pool) == 1
            wait_until(lambda: figure("sera_route_pool_places_held", pool) == 0)
            wait_until(lambda: not is_a_statement_blocked(ledger))


def open_request(port: int, key: str, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: sera\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    )
    return connection


def is_a_statement_blocked(ledger) -> bool:
    query = text(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database())"
    )
    with ledger.engine.connect() as connection:
        return connection.scalar(query)
