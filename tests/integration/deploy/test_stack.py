import os
import queue
import socket
import urllib.request
from dataclasses import replace

import pytest

from deploy.local import SERVICES, Backoff, Child, Event, Phase, Stack, StackState, Urls
from deploy.local.child import python, responds_to_http
from deploy.local.errors import AlreadyRunning, ChildFailed, PortBusy, StackNotRunning
from shared.settings import Settings

EXTERNAL_URLS = Urls(
    database="postgresql://db.example/sera",
    broker="redis://broker.example",
    objects="s3://k:s@o.example/b",
)


@pytest.fixture
def web(port: int) -> Child:
    """A stand-in for the API: a real HTTP server on the stack's port."""
    command = (
        "/bin/sh",
        "-c",
        f'exec {" ".join(python("http.server"))} --bind "$SERA_HOST" "$SERA_PORT"',
    )
    return Child("api", command, ready=responds_to_http("/"))


def test_a_stack_is_up_inside_and_gone_outside(tmp_path, web, port) -> None:
    with Stack(tmp_path / "home", port, services=(web,), urls=EXTERNAL_URLS) as stack:
        assert stack.url == f"http://127.0.0.1:{port}"
        assert urllib.request.urlopen(stack.url).status == 200
        found = StackState.load(tmp_path / "home")
        assert found == stack.state
        assert found.ready
        assert list(found.pids) == ["api"]
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.1", port)),
    ):
        pass
    with pytest.raises(StackNotRunning):
        StackState.load(tmp_path / "home")


def test_the_users_own_engines_are_used_and_none_started(tmp_path, toy) -> None:
    tell = toy("tell", 'env | grep ^SERA_; touch "$SERA_READY_FILE"; exec sleep 600')
    with Stack(tmp_path, services=(tell,), urls=EXTERNAL_URLS) as stack:
        assert list(stack.state.pids) == ["tell"]
        result = dict(
            line.split("=", 1)
            for line in stack.home.log("tell").read_text().splitlines()
        )
    assert result["SERA_DATABASE_URL"] == EXTERNAL_URLS.database
    assert result["SERA_BROKER_URL"] == EXTERNAL_URLS.broker
    assert result["SERA_OBJECTS_URL"] == EXTERNAL_URLS.objects
    assert result["SERA_HOME"] == str(tmp_path)


def test_only_the_migrations_are_told_how_to_reach_the_database_as_its_owner(
    tmp_path, toy, monkeypatch
) -> None:
    monkeypatch.setenv(
        "SERA_DATABASE_OWNER_URL", "postgresql://owner@database.example/sera"
    )
    say = 'env | grep ^SERA_DATABASE; touch "$SERA_READY_FILE"; exec sleep 600'
    urls = replace(
        EXTERNAL_URLS, database_owner="postgresql://owner@database.example/sera"
    )
    with Stack(
        tmp_path, services=(toy("migrate", say), toy("api", say)), urls=urls
    ) as stack:
        migrate, api = (
            stack.home.log(name).read_text().split() for name in ("migrate", "api")
        )
    service = f"SERA_DATABASE_URL={EXTERNAL_URLS.database}"
    assert set(api) == {service}
    assert set(migrate) == {service, f"SERA_DATABASE_OWNER_URL={urls.database_owner}"}


def test_settings_choose_home_port_and_engines(tmp_path, monkeypatch) -> None:
    for name, value in {
        "HOME": str(tmp_path),
        "PORT": "18123",
        "BROKER_URL": "redis://broker.example",
    }.items():
        monkeypatch.setenv(f"SERA_{name}", value)
    monkeypatch.delenv("SERA_DATABASE_URL", raising=False)
    stack = Stack.from_settings(Settings())
    assert (stack.home.root, stack.port) == (tmp_path, 18123)


def test_a_busy_port_is_named_before_anything_starts(tmp_path, toy, port) -> None:
    values: list[Event] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        stack = Stack(
            tmp_path,
            port,
            services=(toy("api"),),
            urls=EXTERNAL_URLS,
            observe=values.append,
        )
        with (
            pytest.raises(
                PortBusy, match=rf"Port {port} of 127.0.0.1 .* set SERA_PORT"
            ),
            stack,
        ):
            pass
    assert values == []


def test_a_second_stack_on_the_same_home_is_told_who_runs_it(tmp_path, toy) -> None:
    with Stack(tmp_path, services=(toy("api"),), urls=EXTERNAL_URLS) as first:
        second = Stack(tmp_path, services=(toy("api"),), urls=EXTERNAL_URLS)
        with (
            pytest.raises(AlreadyRunning, match=f"process {os.getpid()} of user"),
            second,
        ):
            pass
        assert StackState.load(tmp_path) == first.state


def test_a_child_that_fails_at_the_start_takes_the_others_with_it(
    tmp_path, toy
) -> None:
    values: list[Event] = []
    bad = toy("bad", "echo no weights; exit 4", depends_on=("api",))
    stack = Stack(
        tmp_path, services=(toy("api"), bad), urls=EXTERNAL_URLS, observe=values.append
    )
    with (
        pytest.raises(
            ChildFailed,
            match=r"bad did not come up: it ended with exit code 4.*ends: no weights",
        ),
        stack,
    ):
        pass
    assert values[-1] == Event("api", Phase.STOPPED)
    assert not stack.home.state_file.exists()


def test_a_crashed_service_comes_back_under_a_new_number(tmp_path, toy) -> None:
    output: queue.Queue[Event] = queue.Queue()
    stack = Stack(
        tmp_path,
        services=(toy("api"),),
        urls=EXTERNAL_URLS,
        backoff=Backoff(0.01),
        observe=output.put,
    )
    with stack:
        first = stack.state.pids["api"]
        os.kill(first, 9)
        while output.get(timeout=20).phase is not Phase.RESTING:
            pass
        while output.get(timeout=20).phase is not Phase.READY:
            pass
        assert StackState.load(tmp_path).pids["api"] not in (first, None)


def test_every_service_stops_before_what_it_needs() -> None:
    names = [child.name for child in SERVICES]
    assert names == ["migrate", "api", "worker", "shadow", "trainer", "beat"]
    for place, child in enumerate(SERVICES):
        assert set(child.depends_on) <= {"postgres", "valkey", *names[:place]}
        assert "postgres" in child.depends_on
