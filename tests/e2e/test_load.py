"""A small load; `./sera load --hospitals 50 --rate 3 --minutes 30` is the large one."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.stage import Stage, command, surroundings

HOSPITALS = 5
MINUTES_SHORT = 0.07
MINUTES_LONG = 0.5


def keys(stage: Stage) -> tuple[int, int]:
    """How many keys of loads there are, and how many of them are revoked."""
    (counted,) = stage.rows(
        "SELECT count(*), count(revoked_at) FROM api_keys WHERE label = 'load'"
    )
    return counted


def load(report: Path, minutes: float) -> tuple[str, ...]:
    values = (
        "--hospitals",
        str(HOSPITALS),
        "--rate",
        "3",
        "--minutes",
        str(minutes),
        "--seed",
        "7",
        "--out",
        str(report),
    )
    return ("load", *values)


def rules(report: dict[str, Any]) -> dict[str, str]:
    return {rule["name"]: rule["state"] for rule in report["rules"]}


def test_a_small_load_keeps_every_promise_and_leaves_a_report_and_no_key(
    stage: Stage, tmp_path: Path, long: bool
) -> None:
    minutes = MINUTES_LONG if long else MINUTES_SHORT
    report = stage.sera_json(*load(tmp_path / "report.html", minutes), "--json")
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert report["cases"]["sent"] == report["cases"]["done"] > 0
    assert (report["errors"], report["passed"], report["interrupted"]) == (
        {},
        True,
        False,
    )
    assert {
        state
        for name, state in rules(report).items()
        if name not in ("fair", "flat memory")
    } == {"kept"}
    assert {"api", "worker", "postgres", "valkey"} <= set(
        report["samples"][0]["memory_mib"]
    )
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
    result, revoked = keys(stage)
    assert result == revoked >= HOSPITALS


def test_ctrl_c_leaves_a_report_of_what_was_measured_and_no_key(
    stage: Stage, tmp_path: Path
) -> None:
    load_command = command(*load(tmp_path / "report.html", minutes=60))
    result = surroundings(
        stage.stack.home.root, stage.stack.port, {"PYTHONUNBUFFERED": "1"}
    )
    with subprocess.Popen(
        load_command, **result, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        while "Ctrl-C reports" not in running.stderr.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        stdout, err = running.communicate(timeout=60)
    assert running.returncode == 0, stdout + err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["interrupted"]
    assert "interrupted" in stdout
    created, revoked = keys(stage)
    assert created == revoked
