from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import event

from shared.ledger import Ledger
from shared.ledger.monitoring.observations import (
    CodeCount,
    DecisionCount,
    Period,
    Quantity,
    ResultSource,
    Window,
)
from shared.statistics import quantile_bin_counts
from tests.support.observations import MODEL, Observing

EVER = Window(datetime(2020, 1, 1, tzinfo=UTC))
TABLE = np.linspace(0, 1, 101).tolist()


@pytest.fixture
def statements(ledger: Ledger) -> list[tuple]:
    """Every statement sent, with its parameters."""
    sent = []
    event.listen(
        ledger.engine, "before_cursor_execute", lambda *call: sent.append(call[2:4])
    )
    return sent


@pytest.fixture
def observing(ledger: Ledger) -> Observing:
    return Observing(ledger)


def test_counts_between_quantiles_are_those_of_the_values_themselves(ledger, observing):
    random = np.random.default_rng(1)
    scores = random.uniform(-0.1, 1.1, 60)
    embeddings = random.normal(0.5, 0.3, (60, 3))
    scores[:5] = TABLE[10]
    for score, embedding in zip(scores, embeddings, strict=True):
        observing.result(
            "north",
            score=float(score),
            embedding=tuple(map(float, embedding)),
            device="CX50",
        )
    source = ResultSource(observing.hospital("north"), "CX50", MODEL)
    with ledger.system_session("test") as system:
        found = system.observations.quantile_counts(
            EVER, MODEL, Quantity.SCORE, [TABLE]
        )
        parts = system.observations.quantile_counts(
            EVER, MODEL, Quantity.EMBEDDING, [TABLE] * 3
        )
    assert found.keys() == parts.keys() == {source}
    assert found[source][0].tolist() == quantile_bin_counts(scores, TABLE).tolist()
    assert [part.tolist() for part in parts[source]] == [
        quantile_bin_counts(column, TABLE).tolist() for column in embeddings.T
    ]


def test_results_of_a_bundle_that_cannot_tell_are_not_counted(ledger, observing):
    observing.result("north", strangeness=None, embedding=None)
    observing.result("north", strangeness=0.5, embedding=(0.5,))
    with ledger.system_session("test") as system:
        for quantity in (Quantity.STRANGENESS, Quantity.EMBEDDING):
            (counts,) = system.observations.quantile_counts(
                EVER, MODEL, quantity, [TABLE]
            ).values()
            assert counts[0].sum() == 1


def test_the_window_parts_results_by_time_hospital_device_and_model(ledger, observing):
    north = observing.hospital("north")
    south = observing.hospital("south")
    observing.result("north", device="CX50")
    observing.result("north", device="LOGIQ", model_digest="b" * 64)
    observing.result("south")
    observing.result("north", device="CX50", days_ago=40)
    with ledger.system_session("test") as system:

        def count(**parts):
            rows = system.observations.decisions(replace(EVER, **parts))
            return sum(row.results for row in rows)

        recent = datetime.now(UTC) - timedelta(days=30)
        assert [count(), count(start=recent), count(end=recent)] == [4, 3, 1]
        assert [count(hospital=north), count(hospital=south), count(device="CX50")] == [
            3,
            1,
            2,
        ]
        assert [count(model=MODEL), count(model="b" * 64), count(model="c" * 64)] == [
            3,
            1,
            0,
        ]
        assert DecisionCount(
            south, None, MODEL, "malignant", 1
        ) in system.observations.decisions(EVER)


def test_a_hospital_reads_its_own_results_whatever_it_asks_for(ledger, observing):
    observing.result("north", warnings=("saturated",), malignant=True)
    observing.failed("north", "image-unreadable")
    south = observing.hospital("south")
    north = observing.hospital("north")
    with ledger.hospital_session(south, "test") as session:
        observations = session.observations
        assert list(observations.hospitals().values()) == ["south"]
        for window in (EVER, replace(EVER, hospital=north)):
            results = (
                observations.decisions(window),
                observations.warnings(window),
                observations.failures(window),
            )
            assert results == ([], [], [])
            assert (
                observations.verified(window, Period.WEEK)
                == observations.period_counts(window, Period.WEEK)
                == []
            )
            assert (
                observations.quantile_counts(window, MODEL, Quantity.SCORE, [TABLE])
                == {}
            )


def test_the_last_outcome_of_a_case_counts(ledger, observing):
    observing.result("north", score=0.9, malignant=True)
    corrected = observing.result("north", score=0.2, malignant=True)
    observing.outcome(corrected, malignant=False)
    observing.result("north", score=0.5)
    with ledger.system_session("test") as system:
        rows = system.observations.verified(EVER, Period.MONTH)
        shares = system.observations.period_counts(EVER, Period.MONTH)
    (part,) = rows
    assert sorted(zip(part.score.tolist(), part.malignant.tolist(), strict=True)) == [
        (0.2, False),
        (0.9, True),
    ]
    assert np.isnan([part.benign_p, part.malignant_p]).all()
    assert sum(share.results for share in shares) == 3
    assert {row.period for row in rows} <= {share.period for share in shares}
    assert all((row.period.day, row.period.hour) == (1, 0) for row in rows)


def test_warnings_and_failures_are_counted_by_device(ledger, observing):
    north = observing.hospital("north")
    observing.result("north", device="CX50", warnings=("saturated", "roi-absent"))
    observing.result("north", device="CX50", warnings=("saturated",))
    observing.failed("north", "image-blank", device="CX50")
    observing.failed("north", "image-blank", days_ago=40)
    with ledger.system_session("test") as system:
        warned = system.observations.warnings(EVER)
        failed = system.observations.failures(EVER)
        recent = system.observations.failures(
            replace(EVER, start=datetime.now(UTC) - timedelta(days=30))
        )
        january = system.observations.failures(
            replace(EVER, device="CX50", end=datetime(2020, 2, 1, tzinfo=UTC))
        )
    assert set(warned) == {
        CodeCount(north, "CX50", "saturated", 2),
        CodeCount(north, "CX50", "roi-absent", 1),
    }
    assert set(failed) == {
        CodeCount(north, "CX50", "image-blank", 1),
        CodeCount(north, None, "image-blank", 1),
    }
    assert recent == [CodeCount(north, "CX50", "image-blank", 1)]
    assert january == []


def test_a_model_is_found_by_name_version_and_digest(ledger, observing):
    observing.model(MODEL, {"images": 120, "quantiles": {"score": TABLE}})
    newer = "ab" * 32
    observing.model(newer, images=60.0)
    with ledger.system_session("test") as system:
        observations = system.observations
        assert [
            observations.find_model(name) for name in (MODEL, MODEL[:8], "light/1")
        ] == [MODEL] * 3
        assert [
            observations.find_model(name) for name in ("light", "light/2", newer[:10])
        ] == [newer] * 3
        assert [
            observations.find_model(name)
            for name in ("light/3", "a", "%", "________", "")
        ] == [None] * 5
        first, second = observations.references([MODEL, newer, "c" * 64])
    assert (first.version, first.cases, first.quantiles) == (1, 120, {"score": TABLE})
    assert (second.version, second.cases, second.quantiles) == (2, 60, None)


def test_nothing_observed_reads_as_nothing(ledger):
    with ledger.system_session("test") as system:
        observations = system.observations
        assert (
            observations.decisions(EVER)
            == observations.warnings(EVER)
            == observations.failures(EVER)
            == observations.references([])
            == []
        )
        assert (
            observations.period_counts(EVER, Period.WEEK)
            == observations.verified(EVER, Period.WEEK)
            == []
        )


@pytest.mark.parametrize(
    ("reading", "index"),
    [
        (
            lambda observations, window: observations.decisions(window),
            "observations_made",
        ),
        (lambda observations, window: observations.failures(window), "jobs_failed"),
    ],
)
def test_a_window_of_all_hospitals_is_found_by_an_index(
    ledger, reading, index, statements
):
    with ledger.system_session("test") as system:
        reading(system.observations, EVER)
    with ledger.engine.connect() as connection:
        statement, parameters = statements[-1]
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = (
            connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            .scalars()
            .all()
        )
    assert any(index in line for line in plan)
