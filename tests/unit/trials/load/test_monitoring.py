import os
from dataclasses import replace
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


class Desk:
    """An operator's gateway that keeps all in dictionaries."""

    def __init__(self, *, live: bool = True, away: bool = False) -> None:
        self.away = away
        self.hospitals = ["load-01"]
        self.keys = {}
        self.models = [{"name": "small", "version": 1, "live": live, "synthetic": True}]

    def get(self, path: str, **_: Any) -> Any:
        if self.away:
            raise Unavailable(service="database")
        hospitals = [{"name": name} for name in self.hospitals]
        return {
            "/v1/queue": QUEUE,
            "/v1/models": self.models,
            "/v1/hospitals": hospitals,
        }[path]

    def post(self, path: str, *, json: dict[str, Any]) -> Any:
        if path == "/v1/hospitals":
            self.hospitals.append(json["name"])
            return json
        text = f"{len(self.keys):012x}"
        self.keys[text] = json["hospital"]
        return {
            "id": text,
            "key": f"secret of {json['hospital']}",
            "hospital": json["hospital"],
        }

    def delete(self, path: str, **_: Any) -> Any:
        if self.away:
            raise Unavailable(service="database")
        return self.keys.pop(path.removeprefix("/v1/keys/"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Of a stack whose only child is this process."""
    (tmp_path / "run").mkdir()
    state(Home(tmp_path), os.getpid())
    return Home(tmp_path)


def state(home: Home, pid: int) -> None:
    process = ProcessId.from_pid(os.getpid())
    result = StackState(
        str(home.root), process, "", "", "", "", children={"api": process}
    )
    replace(result, children={"api": ProcessId.from_pid(pid)}).save(home)


def test_a_look_tells_how_much_waits_and_what_each_child_takes(home):
    watch = StackMonitor(Desk(), home.root, lambda: 12.0)
    sample = watch.take_sample()
    assert (sample.at_s, sample.waiting, sample.running) == (12.0, 7, 8)
    assert sample.memory_mib == {
        "api": pytest.approx(memory_mib({"api": os.getpid()})["api"], rel=0.2)
    }
    assert sample.memory_mib["api"] > 10


def test_a_child_that_is_another_process_now_was_restarted(home):
    watch = StackMonitor(Desk(), home.root, iter((1.0, 6.0, 11.0)).__next__)
    watch.take_sample()
    assert watch.restarted == {}
    state(home, os.getppid())
    watch.take_sample()
    watch.take_sample()
    assert watch.restarted == {"api": 6.0}


def test_a_gateway_that_does_not_answer_leaves_a_gap_in_the_queue_only(home):
    sample = StackMonitor(Desk(away=True), home.root, lambda: 1.0).take_sample()
    assert (sample.waiting, sample.running, list(sample.memory_mib)) == (
        None,
        None,
        ["api"],
    )


def test_a_stack_elsewhere_has_no_processes_to_look_at(tmp_path):
    assert StackMonitor(Desk(), None, lambda: 1.0).take_sample().memory_mib == {}
    assert StackMonitor(Desk(), tmp_path, lambda: 1.0).take_sample().memory_mib == {}


def test_a_process_that_has_ended_takes_nothing():
    assert memory_mib({"gone": 2**22 + 1}) == {"gone": 0}


def test_what_is_below_a_process_counts_with_it():
    own_mib, parents = memory_mib({"we": os.getpid(), "above": os.getppid()}).values()
    assert parents > own_mib > 0


def test_each_hospital_has_a_key_until_the_load_is_over_and_is_made_only_once():
    desk = Desk()
    with hospital_keys(desk, ["load-01", "load-02"], print) as keys:
        assert keys == {"load-01": "secret of load-01", "load-02": "secret of load-02"}
        assert len(desk.keys) == 2
    assert (desk.keys, desk.hospitals) == ({}, ["load-01", "load-02"])


def test_keys_are_revoked_when_the_load_ends_with_an_error():
    desk = Desk()
    with pytest.raises(KeyboardInterrupt), hospital_keys(desk, ["load-01"], print):
        raise KeyboardInterrupt
    assert desk.keys == {}


def test_keys_that_cannot_be_revoked_are_told_of_and_lose_no_report():
    desk = Desk()
    values = []
    with hospital_keys(desk, ["load-01"], values.append):
        desk.away = True
    assert "end by themselves" in values[0]


def test_without_a_live_model_no_load_begins():
    assert live_model(Desk()) == "small/1 (of phantoms)"
    with pytest.raises(NoModelLive):
        live_model(Desk(live=False))
