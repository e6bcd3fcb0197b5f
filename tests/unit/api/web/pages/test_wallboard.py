from datetime import UTC, datetime

import pytest

from services.api.monitoring.schemas import MonitoredModelView, RateView
from services.api.wallboard.schemas import (
    FailureView,
    FlowView,
    LaneView,
    WallboardView,
    WallboardWindow,
    WallboardWorker,
)
from services.api.web.languages import TRANSLATIONS
from services.api.web.pages.wallboard import duration_text, rate_text, overall_state, flow_state

NOW = datetime(2026, 11, 25, 12, 31, tzinfo=UTC)
MODEL = MonitoredModelView(digest="d" * 64, name="light", version=2)
REFER = RateView(value=None, low=0, high=1, count=0, of=0)


def flow(waiting=0, **told):
    lanes = [
        LaneView(lane="urgent", waiting=waiting, oldest_s=2.0 if waiting else None)
    ]
    quiet = {
        "results": 0,
        "per_minute": 0,
        "p50_s": None,
        "p95_s": None,
        "running": 0,
        "dead_letters": 0,
    }
    return FlowView(**quiet | {"waiting": lanes, "failures": [], "refer": REFER} | told)


def worker(alive=True):
    return WallboardWorker(
        name="w-1", alive=alive, seen_s=1.0 if alive else 40.0, model=MODEL.digest
    )


def wall(house=None, workers=None, model=MODEL, degraded=None):
    parts = {
        "series": [],
        "hospitals": [],
        "bucket_s": 60,
        "window": WallboardWindow.QUARTER,
        "since": NOW,
        "as_of": NOW,
    }
    seen = [worker()] if workers is None else workers
    return WallboardView(
        house=house or flow(),
        workers=seen,
        model=model,
        degraded=degraded or {},
        **parts,
    )


@pytest.mark.parametrize(
    ("view", "kind", "key"),
    [
        (wall(model=None), "bad", "no_model"),
        (wall(workers=[worker(alive=False)]), "bad", "no_worker"),
        (wall(degraded={"broker": "away"}), "bad", "degraded"),
        (wall(workers=[worker(), worker(alive=False)]), "warn", "silent"),
        (wall(flow(dead_letters=1)), "warn", "dead_letters"),
        (wall(), "quiet", "idle"),
    ],
)
def test_the_worst_is_told_first(view, kind, key):
    told = overall_state(view)
    assert (told.kind, told.label) == (kind, key)


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (
            flow(
                failures=[FailureView(reason="image-unreadable", jobs=2)],
                dead_letters=2,
            ),
            "failing",
        ),
        (flow(waiting=3, running=2), "waiting"),
        (flow(running=2), "reading"),
        (flow(results=4), "done"),
    ],
)
def test_a_hospital_stands_as_its_cases_do(told, key):
    assert flow_state(told).label == key


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "–"),
        (1.84, "1.8 s"),
        (42.3, "42 s"),
        (59.7, "1 min 0 s"),
        (252, "4 min 12 s"),
        (7400, "2 h 3 min"),
    ],
)
def test_times_are_said_as_somebody_would(seconds, told):
    assert duration_text(seconds, TRANSLATIONS["en"]) == told


@pytest.mark.parametrize(
    ("rate", "told"),
    [(0, "0"), (0.001, "< 0.01"), (0.067, "0.07"), (4.12, "4.1"), (40.8, "41")],
)
def test_a_rate_has_the_digits_that_count(rate, told):
    assert rate_text(rate) == told
