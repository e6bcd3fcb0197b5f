from datetime import UTC, datetime

import pytest

from services.api.wallboard.schemas import (
    FailureView,
    FlowView,
    LaneView,
    RateView,
    WallboardModel,
    WallboardView,
    WallboardWindow,
    WallboardWorker,
)
from services.api.web.languages import TRANSLATIONS
from services.api.web.pages.wallboard import (
    duration_text,
    flow_state,
    overall_state,
    rate_text,
)

NOW = datetime(2026, 11, 25, 12, 31, tzinfo=UTC)
MODEL = WallboardModel(digest="d" * 64, name="light", version=2)
REFER = RateView(value=None, low=0, high=1, count=0, of=0)


def flow(waiting=0, **changes):
    lanes = [
        LaneView(lane="urgent", waiting=waiting, oldest_s=2.0 if waiting else None)
    ]
    idle = {
        "results": 0,
        "per_minute": 0,
        "p50_s": None,
        "p95_s": None,
        "running": 0,
        "dead_letters": 0,
    }
    return FlowView(
        **idle | {"waiting": lanes, "failures": [], "refer": REFER} | changes
    )


def worker(alive=True):
    return WallboardWorker(
        name="w-1", alive=alive, seen_s=1.0 if alive else 40.0, model=MODEL.digest
    )


def wallboard(house=None, workers=None, model=MODEL, degraded=None):
    empty_parts = {
        "series": [],
        "hospitals": [],
        "bucket_s": 60,
        "window": WallboardWindow.QUARTER,
        "since": NOW,
        "as_of": NOW,
    }
    return WallboardView(
        house=house or flow(),
        workers=[worker()] if workers is None else workers,
        model=model,
        degraded=degraded or {},
        **empty_parts,
    )


@pytest.mark.parametrize(
    ("view", "kind", "label"),
    [
        (wallboard(model=None), "bad", "no_model"),
        (wallboard(workers=[worker(alive=False)]), "bad", "no_worker"),
        (wallboard(degraded={"broker": "away"}), "bad", "degraded"),
        (wallboard(workers=[worker(), worker(alive=False)]), "warn", "silent"),
        (wallboard(flow(dead_letters=1)), "warn", "dead_letters"),
        (wallboard(), "quiet", "idle"),
    ],
)
def test_the_overall_state_is_the_worst_of_all(view, kind, label):
    state = overall_state(view)
    assert (state.kind, state.label) == (kind, label)


@pytest.mark.parametrize(
    ("hospital_flow", "label"),
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
def test_a_hospitals_state_is_that_of_its_cases(hospital_flow, label):
    assert flow_state(hospital_flow).label == label


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (1.84, "1.8 s"),
        (42.3, "42 s"),
        (59.7, "1 min 0 s"),
        (252, "4 min 12 s"),
        (7400, "2 h 3 min"),
    ],
)
def test_a_duration_has_the_units_that_fit_its_length(seconds, text):
    assert duration_text(seconds, TRANSLATIONS["en"]) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0"), (0.001, "< 0.01"), (0.067, "0.07"), (4.12, "4.1"), (40.8, "41")],
)
def test_a_rate_has_two_significant_digits(rate, text):
    assert rate_text(rate) == text
