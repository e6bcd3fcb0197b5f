"""Runs a small chaos trial; `./sera chaos --cases 500` is the large one."""

import json
import subprocess

import pytest

from tests.e2e.stage import command, surroundings
from trials.chaos.cases import CORRUPT_EVERY

CASES_SHORT = 24
CASES_LONG = 100
MINUTES_SHORT = "0.1"
MINUTES_LONG = "0.5"
KINDS = ("worker-killed", "gateway-killed", "broker-emptied", "upload-cut")
SLOW_KINDS = (
    "database-stopped",
    "broker-stopped",
    "objects-slow",
    "objects-silent",
    "clock-turned",
    "result-rewritten",
)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_small_trial_finds_no_violation(tmp_path, long):
    cases = CASES_LONG if long else CASES_SHORT
    minutes = MINUTES_LONG if long else MINUTES_SHORT
    kinds = (*KINDS, *SLOW_KINDS) if long else KINDS
    faults = " ".join(f"--fault {kind}" for kind in kinds)
    done = subprocess.run(
        command(f"chaos --cases {cases} --minutes {minutes} --seed 11 --json {faults}"),
        **surroundings(tmp_path / "unused", 1, {"TMPDIR": str(tmp_path)}),
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    counts = ("lost", "double", "stuck", "changed", "wrong", "internal")
    assert [report[name] for name in counts] == [0] * len(counts)
    assert (report["audit_ok"], report["passed"], report["cases"]) == (
        True,
        True,
        cases,
    )
    count_corrupt = cases // CORRUPT_EVERY
    assert (report["done"], report["failed"]) == (cases - count_corrupt, count_corrupt)
    assert set(report["faults"]) == {*kinds, "sent-again"}
    assert min(report["faults"].values()) >= 1
    assert list(tmp_path.glob("sera-chaos-*")) == []


def test_an_unknown_fault_is_refused_with_the_known_ones(tmp_path):
    done = subprocess.run(
        command("chaos", "--fault", "flood"),
        **surroundings(tmp_path, 1, {}),
        capture_output=True,
    )
    assert done.returncode == 1
    assert "worker-killed" in done.stderr
