"""The wallboard: the present state of the installation, readable from three metres."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.api.dependencies import DependenciesDep, TransactionDep
from services.api.monitoring.dashboards import IfNoneMatch
from services.api.wallboard.schemas import (
    BucketView,
    FlowView,
    WallboardView,
    WallboardWindow,
)
from services.api.wallboard.service import WallboardService
from services.api.web.languages import Translations
from services.api.web.page import PagePerson, Visitor, page_router, render
from services.api.web.plots.wallboard import sparkline

router = page_router()
WindowQuery = Annotated[WallboardWindow, Query()]
SYMBOLS = {"good": "✔", "warn": "▲", "bad": "✖", "quiet": "–"}
MINUTE_S = 60
HOUR_S = 3600


@dataclass(frozen=True)
class State:
    """A state: `kind` decides symbol and colour, `label` the text."""

    kind: str
    label: str

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.kind]


@router.get("/wall", response_class=HTMLResponse)
def wall_page(
    request: Request,
    visitor: PagePerson,
    transaction: TransactionDep,
    dependencies: DependenciesDep,
    window: WindowQuery = WallboardWindow.QUARTER,
) -> HTMLResponse:
    view = WallboardService(transaction, visitor.caller, dependencies).view(window)
    return render(
        request,
        _dark_by_default(visitor),
        "wall.html",
        **_facts(view, visitor.translations),
    )


@router.get("/wall/figures")
def wall_figures(
    request: Request,
    visitor: PagePerson,
    transaction: TransactionDep,
    dependencies: DependenciesDep,
    window: WindowQuery = WallboardWindow.QUARTER,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The part of the page that changes; 304 if it has not changed."""
    view = WallboardService(transaction, visitor.caller, dependencies).view(window)
    response = render(
        request, visitor, "wall-figures.html", **_facts(view, visitor.translations)
    )
    etag = f'"{hashlib.sha256(response.body).hexdigest()[:20]}"'
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return response


def overall_state(view: WallboardView) -> State:
    """The state of the installation.

    "bad": no case can be answered. "warn": somebody has to look.
    """
    if view.model is None:
        return State("bad", "no_model")
    if not any(worker.alive for worker in view.workers):
        return State("bad", "no_worker")
    if view.degraded:
        return State("bad", "degraded")
    if any(not worker.alive for worker in view.workers):
        return State("warn", "silent")
    return flow_state(view.house)


def flow_state(flow: FlowView) -> State:
    """The state of a hospital's cases, or of all cases."""
    if flow.failures:
        return State("warn", "failing")
    if flow.dead_letters:
        return State("warn", "dead_letters")
    if _count_waiting(flow):
        return State("good", "waiting")
    if flow.running:
        return State("good", "reading")
    return State("good", "done") if flow.results else State("quiet", "idle")


def duration_text(seconds: float | None, translations: Translations) -> str:
    """A duration in words: 1.8 s, 42 s, 4 min 12 s, 2 h 3 min; a dash for None."""
    if seconds is None:
        return "–"
    whole_seconds = round(seconds)
    if seconds < 10:
        return translations("wall.duration.s", s=f"{seconds:.1f}")
    if whole_seconds < MINUTE_S:
        return translations("wall.duration.s", s=whole_seconds)
    if whole_seconds < HOUR_S:
        return translations(
            "wall.duration.min",
            min=whole_seconds // MINUTE_S,
            s=whole_seconds % MINUTE_S,
        )
    return translations(
        "wall.duration.h",
        h=whole_seconds // HOUR_S,
        min=whole_seconds % HOUR_S // MINUTE_S,
    )


def rate_text(per_minute: float) -> str:
    """Two significant digits: 41, 4.1, 0.07; "< 0.01" for less than that."""
    if per_minute == 0 or per_minute >= 10:
        return f"{per_minute:.0f}"
    if per_minute < 0.01:
        return "< 0.01"
    return f"{per_minute:.1f}" if per_minute >= 1 else f"{per_minute:.2f}"


def _dark_by_default(visitor: Visitor) -> Visitor:
    """The visitor with the dark theme, unless a theme was chosen."""
    return replace(visitor, theme="dark") if visitor.theme == "auto" else visitor


def _facts(view: WallboardView, translations: Translations) -> dict[str, Any]:
    """The variables of the template."""
    alive = [worker for worker in view.workers if worker.alive]
    return {
        "wall": view,
        "windows": list(WallboardWindow),
        "overall_state": overall_state(view),
        "flow_state": flow_state,
        "duration_text": lambda seconds: duration_text(seconds, translations),
        "rate_text": rate_text,
        "count_waiting": _count_waiting,
        "oldest_s": _oldest_s,
        "count_failed": _count_failed,
        "alive": len(alive),
        "silent": [worker for worker in view.workers if not worker.alive],
        "other_model": [
            worker
            for worker in alive
            if view.model and worker.model != view.model.digest
        ],
        "sparklines": _sparklines(view.series, translations),
    }


def _count_waiting(flow: FlowView) -> int:
    return sum(lane.waiting for lane in flow.waiting)


def _oldest_s(flow: FlowView) -> float | None:
    """The longest wait in seconds."""
    waits_s = [lane.oldest_s for lane in flow.waiting if lane.oldest_s is not None]
    return max(waits_s, default=None)


def _count_failed(flow: FlowView) -> int:
    return sum(failure.jobs for failure in flow.failures)


def _sparklines(
    series: Sequence[BucketView], translations: Translations
) -> dict[str, str]:
    """Throughput and times over the window as SVG."""
    rates = [bucket.per_minute for bucket in series]
    p50 = [bucket.p50_s for bucket in series]
    p95 = [bucket.p95_s for bucket in series]
    longest_s = max((value for value in p95 if value is not None), default=None)
    highest_rate = rate_text(max(rates, default=0.0))
    longest_time = duration_text(longest_s, translations)
    return {
        "throughput": sparkline(
            key="spark-throughput",
            title=translations("wall.throughput.spark"),
            desc=translations("wall.throughput.most", n=highest_rate),
            lines={"first": rates},
        ),
        "times": sparkline(
            key="spark-times",
            title=translations("wall.times.spark"),
            desc=translations("wall.times.most", n=longest_time),
            lines={"first": p50, "second": p95},
        ),
    }
