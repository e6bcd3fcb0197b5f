import os
from pathlib import Path
from typing import Any

import pytest

from deploy.local.home import Home
from deploy.local.state import ProcessId, StackState
from shared.errors import Unavailable
from trials.load.errors import NoModelLive
from trials.load.monitoring import StackMonitor, memory_mib
from trials.load.run import hospital_keys, live_model

QUEUE = {"waiting": [{"jobs": 3}, {"jobs": 4}], "running": 8}


class FakeOperatorApi:
    """An operator's API client without a gateway; its data are in dictionaries."""

    def __init__(self, *, live: bool = True, is_down: bool = False) -> None:
        self.is_down = is_down
        self.hospitals = ["load-01"]
        self.keys = {}
        self.models = [{"name": "small", "version": 1, "live": live, "synthetic": True}]

    def get(self, path: str, **_: Any) -> dict[str, Any]:
        if self.is_down:
            raise Unavailable(service="database")
        return {"/v1/queue": QUEUE}[path]

    def get_list(self, path: str, **_: Any) -> list[dict[str, Any]]:
        hospitals = [{"name": name} for name in self.hospitals]
        return {"/v1/models": self.models, "/v1/hospitals": hospitals}[path]

    def post(self, path: str, *, json: dict[str, Any]) -> Any:
        if path == "/v1/hospitals":
            self.hospitals.append(json["name"])
            return json
        key_id = f"{len(self.keys):012x}"
        self.keys[key_id] = json["hospital"]
        return {
            "id": key_id,
            "key": f"secret of {json['hospital']}",
            "hospital": json["hospital"],
        }

    def delete(self, path: str, **_: Any) -> Any:
        if self.is_down:
            raise Unavailable(service="database")
        return self.keys.pop(path.removeprefix("/v1/keys/"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The home of a stack whose only child is this process."""
    (tmp_path / "run").mkdir()
    save_state(Home(tmp_path), os.getpid())
    return Home(tmp_path)


def save_state(home: Home, api_pid: int) -> None:
    StackState(
        home=str(home.root),
        supervisor=ProcessId.from_pid(os.getpid()),
        sockets="",
        database_url="",
        broker_url="",
        objects_url="",
        children={"api": ProcessId.from_pid(api_pid)},
    ).save(home)


def test_a_sample_has_the_queue_and_the_memory_of_each_child(home):
    monitor = StackMonitor(FakeOperatorApi(), home.root, lambda: 12.0)
    sample = monitor.take_sample()
    assert (sample.at_s, sample.waiting, sample.running) == (12.0, 7, 8)
    assert sample.memory_mib == {
        "api": pytest.approx(memory_mib({"api": os.getpid()})["api"], rel=0.2)
    }
    assert sample.memory_mib["api"] > 10


def test_a_child_that_is_another_process_now_was_restarted(home):
    monitor = StackMonitor(
        FakeOperatorApi(), home.root, iter((1.0, 6.0, 11.0)).__next__
    )
    monitor.take_sample()
    assert monitor.restarted == {}
    save_state(home, os.getppid())
    monitor.take_sample()
    monitor.take_sample()
    assert monitor.restarted == {"api": 6.0}


def test_a_gateway_that_does_not_answer_leaves_a_gap_in_the_queue_only(home):
    sample = StackMonitor(
        FakeOperatorApi(is_down=True), home.root, lambda: 1.0
    ).take_sample()
    assert (sample.waiting, sample.running, list(sample.memory_mib)) == (
        None,
        None,
        ["api"],
    )


def test_a_stack_on_another_machine_has_no_processes_to_sample(tmp_path):
    assert (
        StackMonitor(FakeOperatorApi(), None, lambda: 1.0).take_sample().memory_mib
        == {}
    )
    assert (
        StackMonitor(FakeOperatorApi(), tmp_path, lambda: 1.0).take_sample().memory_mib
        == {}
    )


def test_a_process_that_has_ended_uses_no_memory():
    assert memory_mib({"gone": 2**22 + 1}) == {"gone": 0}


def test_the_children_of_a_process_count_with_it():
    own_mib, parents = memory_mib({"we": os.getpid(), "above": os.getppid()}).values()
    assert parents > own_mib > 0


def test_each_hospital_has_a_key_until_the_load_is_over_and_is_made_only_once():
    operator = FakeOperatorApi()
    with hospital_keys(operator, ["load-01", "load-02"], print) as keys:
        assert keys == {"load-01": "secret of load-01", "load-02": "secret of load-02"}
        assert len(operator.keys) == 2
    assert (operator.keys, operator.hospitals) == ({}, ["load-01", "load-02"])


def test_keys_are_revoked_when_the_load_ends_with_an_error():
    operator = FakeOperatorApi()
    with pytest.raises(KeyboardInterrupt), hospital_keys(operator, ["load-01"], print):
        raise KeyboardInterrupt
    assert operator.keys == {}


def test_keys_that_cannot_be_revoked_give_a_message_and_no_error():
    operator = FakeOperatorApi()
    lines = []
    with hospital_keys(operator, ["load-01"], lines.append):
        operator.is_down = True
    assert "end by themselves" in lines[0]


def test_without_a_live_model_no_load_begins():
    assert live_model(FakeOperatorApi()) == "small/1 (of phantoms)"
    with pytest.raises(NoModelLive):
        live_model(FakeOperatorApi(live=False))
