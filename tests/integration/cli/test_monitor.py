"""`./sera monitor` against a gateway that listens."""

import json
import sys
from collections.abc import Callable

import numpy as np
import pytest

from cli.app import main
from tests.support.command import command_words
from tests.support.observations import Observing

UNIFORM = np.linspace(0, 1, 101).tolist()


@pytest.fixture
def sera(operator, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., str]:
    """Runs `sera monitor ...` with an operator's key; the printed text."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(
            sys, "argv", ["sera", "monitor", *command_words(*arguments)]
        )
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        assert not left.value.code, captured.err
        return captured.out

    return run


def line(printed: str, *words: str) -> str:
    """The only line that holds these words."""
    (found,) = [
        row for row in printed.splitlines() if all(text in row for text in words)
    ]
    return found


def test_monitoring_is_shown_as_tables_and_as_json(sera, ledger):
    observing = Observing(ledger)
    observing.model(reference={"images": 900, "quantiles": {"score": UNIFORM}})
    labels = [number % 3 == 0 for number in range(60)]
    scores = [
        0.7 + 0.004 * number + 0.05 * label for number, label in enumerate(labels)
    ]
    fields = {
        "score": scores,
        "risk": 0.5,
        "malignant": labels,
        "benign_p": 0.4,
        "malignant_p": 0.6,
    }
    observing.results(
        60, "north [1]", "CX50", **fields, warnings=[("saturated",)] * 15 + [()] * 45
    )
    observing.results(4, "south", decision="refer", days_ago=60)
    observing.failed("north [1]", "image-blank")

    drift = sera("drift")
    assert "alarm" in line(drift, "north [1]", "CX50", "light/1")
    assert "north [1], CX50: score: PSI" in drift
    assert "south" not in drift
    quality = sera("quality", "--days", "90")
    assert "saturated 25%" in line(quality, "north [1]", "CX50")
    assert "image-blank" in line(quality, "north [1]", "unknown device")
    assert "100%" in line(quality, "south", "all devices")
    performance = sera("performance", "--hospital", "north [1]")
    assert "100% (84-100)" in line(performance, "north [1]", "60/60")
    assert "0.67 (0.45-0.92)" in line(performance, "│ all", "0.66 (0.50-0.79)")
    assert "not missing at random" in performance
    coverage = sera("coverage")
    assert "100% (94-100)" in coverage
    assert line(coverage, "north [1]", "│      90% │")

    drift = json.loads(sera("drift --json --hospital south --days 90"))
    assert drift["groups"][0]["n"] == 4
    assert "no reference" not in sera("drift", "--hospital", "south")


def test_where_nothing_is_known_a_sentence_says_so(sera):
    for report in ("drift", "quality", "performance", "coverage"):
        assert "Nothing to show of the last 7 days" in sera(report, "--days", "7")
