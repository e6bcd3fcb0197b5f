"""The wall: what the house does now, readable from three metres."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.api.dependencies import DependenciesDep, TransactionDep
from services.api.monitoring.dashboards import IfNoneMatch
from services.api.wallboard.schemas import BucketView, FlowView, WallView, WallWindow
from services.api.wallboard.service import WallService
from services.api.web.languages import Translations
from services.api.web.page import PagePerson, Visitor, pages, show
from services.api.web.plots.wallboard import sparkline

router = pages()
Looking = Annotated[WallWindow, Query()]
SIGNS = {"good": "✔", "warn": "▲", "bad": "✖", "quiet": "–"}
MINUTE_S = 60
HOUR_S = 3600


@dataclass(frozen=True)
class State:
    """How it stands: `kind` has a sign and a colour, `key` a word."""

    kind: str
    key: str

    @property
    def sign(self) -> str:
        return SIGNS[self.kind]


@router.get("/wall", response_class=HTMLResponse)
def wall_page(
    request: Request,
    visitor: PagePerson,
    transaction: TransactionDep,
    wired: DependenciesDep,
    window: Looking = WallWindow.QUARTER,
) -> HTMLResponse:
    view = WallService(transaction, visitor.caller, wired).look(window)
    return show(request, _dark(visitor), "wall.html", **_facts(view, visitor.translations))


@router.get("/wall/figures")
def wall_figures(
    request: Request,
    visitor: PagePerson,
    transaction: TransactionDep,
    wired: DependenciesDep,
    window: Looking = WallWindow.QUARTER,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The part of the page that changes; 304 where it is still the same."""
    view = WallService(transaction, visitor.caller, wired).look(window)
    answer = show(request, visitor, "wall-figures.html", **_facts(view, visitor.translations))
    etag = f'"{hashlib.sha256(answer.body).hexdigest()[:20]}"'
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    answer.headers["ETag"] = etag
    return answer


def standing(view: WallView) -> State:
    """The house's: trouble keeps cases from being answered, a warning wants somebody to look."""
    if view.model is None:
        return State("bad", "no_model")
    if not any(worker.alive for worker in view.workers):
        return State("bad", "no_worker")
    if view.degraded:
        return State("bad", "degraded")
    if any(not worker.alive for worker in view.workers):
        return State("warn", "silent")
    return standing_of(view.house)


def standing_of(flow: FlowView) -> State:
    """A hospital's, or the house's as far as its cases tell."""
    if flow.failures:
        return State("warn", "failing")
    if flow.dead_letters:
        return State("warn", "dead_letters")
    if _waiting(flow):
        return State("good", "waiting")
    if flow.running:
        return State("good", "reading")
    return State("good", "done") if flow.results else State("quiet", "idle")


def lasting(seconds: float | None, words: Translations) -> str:
    """Seconds as somebody would say them: 1.8 s, 42 s, 4 min 12 s, 2 h 3 min."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if seconds < 10:
        return words("wall.lasting.s", s=f"{seconds:.1f}")
    if whole < MINUTE_S:
        return words("wall.lasting.s", s=whole)
    if whole < HOUR_S:
        return words("wall.lasting.min", min=whole // MINUTE_S, s=whole % MINUTE_S)
    return words("wall.lasting.h", h=whole // HOUR_S, min=whole % HOUR_S // MINUTE_S)


def pace(per_minute: float) -> str:
    """Two digits that count: 41, 4.1, 0.07; < 0.01 where there is less than that."""
    if per_minute == 0 or per_minute >= 10:
        return f"{per_minute:.0f}"
    if per_minute < 0.01:
        return "< 0.01"
    return f"{per_minute:.1f}" if per_minute >= 1 else f"{per_minute:.2f}"


def _dark(visitor: Visitor) -> Visitor:
    """A screen on a wall is dark unless somebody chose light."""
    return replace(visitor, theme="dark") if visitor.theme == "auto" else visitor


def _facts(view: WallView, words: Translations) -> dict[str, Any]:
    alive = [worker for worker in view.workers if worker.alive]
    return {
        "wall": view,
        "windows": list(WallWindow),
        "standing": standing(view),
        "standing_of": standing_of,
        "lasting": lambda seconds: lasting(seconds, words),
        "pace": pace,
        "waiting": _waiting,
        "oldest_s": _oldest_s,
        "failed": _failed,
        "alive": len(alive),
        "silent": [worker for worker in view.workers if not worker.alive],
        "other_model": [
            worker
            for worker in alive
            if view.model and worker.model != view.model.digest
        ],
        "sparks": _sparks(view.series, words),
    }


def _waiting(flow: FlowView) -> int:
    return sum(lane.waiting for lane in flow.waiting)


def _oldest_s(flow: FlowView) -> float | None:
    return max(
        (lane.oldest_s for lane in flow.waiting if lane.oldest_s is not None),
        default=None,
    )


def _failed(flow: FlowView) -> int:
    return sum(each.jobs for each in flow.failures)


def _sparks(series: Sequence[BucketView], words: Translations) -> dict[str, str]:
    rates = [bucket.per_minute for bucket in series]
    p50 = [bucket.p50_s for bucket in series]
    p95 = [bucket.p95_s for bucket in series]
    longest = max((value for value in p95 if value is not None), default=None)
    return {
        "throughput": sparkline(
            "spark-throughput",
            words("wall.throughput.spark"),
            words("wall.throughput.most", n=pace(max(rates, default=0.0))),
            {"first": rates},
        ),
        "times": sparkline(
            "spark-times",
            words("wall.times.spark"),
            words("wall.times.most", n=lasting(longest, words)),
            {"first": p50, "second": p95},
        ),
    }
