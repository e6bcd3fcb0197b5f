"""PostgreSQL restarts under load: no case is lost, and no request gets a 500."""

import queue
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import psutil
import pytest

from deploy.local import EmbeddedEngines, Event, Phase
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.retry import retry_while_unavailable
from shared.ledger.schema.migrate import migrate
from shared.settings import Settings
from tests.support.builders import form, png, result
from tests.support.gateway_process import gateway_of

LEASE = timedelta(minutes=1)
CLIENTS = 3


class Database:
    """A PostgreSQL server of this module. Its supervisor starts it again after a signal."""

    def __init__(self, engines: EmbeddedEngines, events: "queue.Queue[Event]") -> None:
        self.engines = engines
        self._events = events

    def restart(self, signal_number: signal.Signals) -> None:
        """Send the signal and wait until the server is ready again."""
        while not self._events.empty():
            self._events.get_nowait()
        psutil.Process(self.engines.state.pids["postgres"]).send_signal(signal_number)
        while self._events.get(timeout=60) != Event("postgres", Phase.READY):
            pass


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    events: queue.Queue[Event] = queue.Queue()
    with EmbeddedEngines(
        tmp_path_factory.mktemp("engines"), durable=False, observe=events.put
    ) as engines:
        migrate(engines.database_url)
        yield Database(engines, events)


@pytest.fixture(scope="module")
def ledger(database):
    opened = Ledger(database.engines.database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def north(database, ledger, tmp_path_factory):
    """A client of a gateway in a separate process."""
    home = tmp_path_factory.mktemp("home")
    engines = database.engines
    urls = {"database_url": engines.database_url, "broker_url": engines.broker_url}
    settings = Settings(home=home, objects_url=(home / "objects").as_uri(), **urls)
    with ledger.system_session("test") as session:
        key = session.api_keys.create_text(
            Role.SUBMITTER, session.hospitals.ensure("north"), "test"
        )
    with (
        gateway_of(settings) as gateway,
        httpx2.Client(
            base_url=gateway.url, headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as client,
    ):
        yield client


class Load:
    """Clients that submit and poll without a pause, with all their answers."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._stop = threading.Event()
        self.answers: list[httpx2.Response] = []
        self.accepted: dict[str, str] = {}

    def run(self, client_number: int) -> None:
        count_accepted = 0
        while not self._stop.is_set():
            key = f"{id(self)}-{client_number}-{count_accepted}"
            answer = self._client.post(
                "/v1/cases",
                **form(png(client_number)),
                headers={"Idempotency-Key": key},
            )
            self.answers += [answer, self._client.get("/v1/jobs")]
            if answer.status_code == 202:
                self.accepted[key] = answer.json()["job_id"]
                count_accepted += 1

    def stop(self) -> None:
        self._stop.set()


@pytest.mark.parametrize(
    "signal_number", [signal.SIGINT, signal.SIGKILL], ids=["fast shutdown", "kill -9"]
)
def test_under_load_a_restart_delays_answers_and_causes_no_server_error(
    database, north, ledger, signal_number
):
    first = north.post("/v1/cases", **form()).json()["job_id"]
    load = Load(north)
    path = f"/v1/jobs/{first}"
    with ThreadPoolExecutor(CLIENTS + 2) as pool:
        long_poll = pool.submit(north.get, path, params={"wait": 30})
        stream = pool.submit(north.get, f"{path}/events")
        clients = [pool.submit(load.run, client) for client in range(CLIENTS)]
        # After this many answers the long poll and the stream are waiting.
        while len(load.answers) < 4 * CLIENTS:
            threading.Event().wait(0.05)
        database.restart(signal_number)
        accepted_before = len(load.accepted)
        while len(load.accepted) < accepted_before + CLIENTS:
            threading.Event().wait(0.05)
        load.stop()
        for client in clients:
            client.result()
        with ledger.system_session("w") as session:
            lease = session.queue.claim("w", 1000, LEASE, 5)
        with ledger.system_session("w") as session:
            session.queue.finish(
                lease.token, "d" * 64, {job.id: result(risk=0.4) for job in lease.jobs}
            )
        assert long_poll.result().json().get("state") == "done", long_poll.result().text
        assert '"done"' in stream.result().text.split("event: job")[-1]
    assert {answer.status_code for answer in load.answers} <= {200, 202, 503}
    refused = [answer for answer in load.answers if answer.status_code == 503]
    assert {
        (answer.json()["code"], answer.json()["retryable"]) for answer in refused
    } <= {("unavailable", True)}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    finished_jobs = {job.id: job for job in lease.jobs}
    assert {str(job_id) for job_id in finished_jobs} >= set(load.accepted.values())
    assert {job.attempts for job in lease.jobs} == {1}
    assert north.get("/readyz").status_code == 200


def test_a_lease_is_renewed_and_its_results_are_written_across_a_restart(
    database, north, ledger
):
    short = timedelta(seconds=30)
    job = north.post("/v1/cases", **form()).json()["job_id"]
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 1, short, 5)
    renewed = threading.Event()

    def renew(tokens):
        with ledger.system_session("w") as session:
            session.queue.renew(tokens, short)
        renewed.set()

    def write():
        with ledger.system_session("w") as session:
            session.queue.finish(
                lease.token,
                "d" * 64,
                {job.id: result(risk=0.4) for job in lease.jobs},
            )

    heartbeat = Heartbeat(renew, timedelta(seconds=0.3))
    heartbeat.start()
    heartbeat.hold(lease.token)
    database.restart(signal.SIGKILL)
    renewed.clear()
    assert renewed.wait(20)
    with ThreadPoolExecutor(1) as pool:
        psutil.Process(database.engines.state.pids["postgres"]).send_signal(
            signal.SIGINT
        )
        pool.submit(retry_while_unavailable, write, short).result(60)
    heartbeat.stop()
    answer = north.get(f"/v1/jobs/{job}", params={"wait": 10})
    assert (answer.json()["state"], answer.json()["attempts"]) == ("done", 1)
