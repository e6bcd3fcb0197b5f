"""A load's figures as SVG text."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from shared.drawing import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH_INCHES,
    Drawing,
    svg,
)
from trials.load.arrivals import shares
from trials.load.metrics import LEAST_CASES, WARM_UP_SHARE, result_s, submit_s
from trials.load.run import Course

HEIGHT_INCHES = 3.4
STEPS = 60
"""Of the run, in which times are put together."""
SHARES = 1 - np.logspace(0, -4, 200)
TICKS = (0.5, 0.9, 0.99, 0.999)
LINES = (
    (BLUE, "-"),
    (VERMILLION, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (ORANGE, (0, (5, 1))),
    (SKY, "-"),
    (BLACK, "--"),
)
MOST_SAMPLES = 240


def draw_all(course: Course) -> dict[str, tuple[str, str]]:
    """Name -> SVG and caption, of every figure that there is something to draw for."""
    if not course.sent:
        return {}
    drawn = {
        "shares": (
            svg("shares", "Latency by share of cases", _by_share(course)),
            BY_SHARE,
        ),
        "latency": (svg("latency", "Latency over time", _over_time(course)), OVER_TIME),
        "traffic": (
            svg("traffic", "Cases sent and answered", _traffic(course)),
            TRAFFIC,
        ),
        "hospitals": (
            svg("hospitals", "Latency by hospital", _hospitals(course)),
            HOSPITALS,
        ),
    }
    if any(sample.waiting is not None for sample in course.samples):
        drawn["queue"] = svg("queue", "Queue", _queue(course)), QUEUE
    if any(sample.memory_mib for sample in course.samples):
        drawn["memory"] = svg("memory", "Memory", _memory(course)), MEMORY
    return drawn


BY_SHARE = (
    "How long cases took from when they were due: to be accepted, and to have their "
    "result. Each point says what share "
    "of cases took at most so long; towards the right one case in ten, in a hundred, "
    "in a thousand is left."
)
OVER_TIME = (
    "Time to a result over the run, in steps of a sixtieth of it: half of the cases, "
    "95 %, and the slowest one."
)
TRAFFIC = "Cases that came due, and results that reached their hospitals, a second."
HOSPITALS = (
    "Time to a result by hospital, the one that sends most on the left: median and "
    "p95; hollow where fewer than "
    f"{LEAST_CASES} results are too few to be judged by. Below, how many cases each "
    "sent, and its share of them all."
)
QUEUE = (
    "Cases that wait and cases in the workers' hands, as the operator's view of the "
    "queue tells them."
)
MEMORY = (
    "Resident memory of each part of the stack with all processes below it, without "
    "shared memory, against its mean "
    "after the warm-up (left of the grey line), which the legend names."
)


def _by_share(course: Course) -> Drawing:
    def draw() -> Figure:
        figure, axes = _figure()
        told = (
            ("result", result_s(course.sent), LINES[0]),
            ("accepted", submit_s(course.sent), LINES[1]),
        )
        for name, seconds, (colour, dashes) in told:
            if seconds:
                within = SHARES[1 - 1 / (len(seconds) + 1) >= SHARES]
                axes.plot(
                    1 / (1 - within),
                    np.quantile(seconds, within),
                    color=colour,
                    ls=dashes,
                    label=name,
                )
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="share of cases",
            ylabel="seconds, at most",
        )
        shown = [
            share for share in TICKS if 1 / (1 - share) <= max(len(course.sent), 10)
        ]
        axes.set_xticks(
            [1 / (1 - share) for share in shown],
            [f"{100 * share:g} %" for share in shown],
        )
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        return _with_legend(figure, axes)

    return draw


def _over_time(course: Course) -> Drawing:
    def draw() -> Figure:
        figure, axes = _figure()
        answered = [
            (each.arrival.at_s, each.answered_s)
            for each in course.sent
            if each.answered_s is not None
        ]
        edges = _steps(course)
        steps = _by_step(answered, course)
        for name, figure_of, (colour, dashes) in (
            ("slowest", max, (SKY, "-")),
            ("p95", lambda seconds: np.quantile(seconds, 0.95), (VERMILLION, "--")),
            ("median", np.median, (BLUE, "-")),
        ):
            told = [figure_of(seconds) if seconds else np.nan for seconds in steps]
            axes.plot(
                edges[:-1] / 60, told, color=colour, ls=dashes, lw=1.4, label=name
            )
        axes.set(
            xlabel="minutes",
            ylabel="seconds to a result",
            ylim=(0, None),
            xlim=(0, None),
        )
        return _with_legend(figure, axes)

    return draw


def _traffic(course: Course) -> Drawing:
    def draw() -> Figure:
        figure, axes = _figure()
        edges = _steps(course)
        due = [each.arrival.at_s for each in course.sent]
        back = [
            each.arrival.at_s + each.answered_s
            for each in course.sent
            if each.answered_s is not None
        ]
        for name, times, (colour, dashes) in (
            ("due", due, LINES[1]),
            ("answered", back, LINES[0]),
        ):
            rate = np.histogram(times, edges)[0] / np.diff(edges)
            axes.plot(
                edges[:-1] / 60, rate, color=colour, ls=dashes, lw=1.3, label=name
            )
        axes.axhline(course.load.rate, color="0.7", lw=0.8)
        axes.set(
            xlabel="minutes", ylabel="cases a second", ylim=(0, None), xlim=(0, None)
        )
        return _with_legend(figure, axes)

    return draw


def _hospitals(course: Course) -> Drawing:
    def draw() -> Figure:
        figure = Figure((WIDTH_INCHES, HEIGHT_INCHES + 0.8), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        names = course.load.names
        place = {name: number for number, name in enumerate(names, 1)}
        for name, quantile, colour, mark in (
            ("p95", "p95", VERMILLION, "s"),
            ("median", "p50", BLUE, "o"),
        ):
            for judged in (True, False):
                its = [
                    each
                    for each in course.shares
                    if (each.result.count >= LEAST_CASES) is judged
                ]
                its = [each for each in its if each.result.count]
                across = [place[each.hospital] for each in its]
                up = [getattr(each.result, quantile) for each in its]
                face = colour if judged else "none"
                label = (
                    name
                    if judged
                    or not any(
                        each.result.count >= LEAST_CASES for each in course.shares
                    )
                    else None
                )
                axes.plot(across, up, mark, ms=4, mfc=face, mec=colour, label=label)
        axes.set(ylabel="seconds to a result", ylim=(0, None))
        below.bar(
            [place[each.hospital] for each in course.shares],
            [each.sent for each in course.shares],
            color=BLUE,
        )
        expected = np.array(shares(len(names))) * len(course.sent)
        below.plot(range(1, len(names) + 1), expected, color=BLACK, lw=0.9)
        below.set(xlabel="hospital", ylabel="cases")
        return _with_legend(figure, axes)

    return draw


def _queue(course: Course) -> Drawing:
    def draw() -> Figure:
        figure, axes = _figure()
        samples = [each for each in course.samples if each.waiting is not None]
        at = [each.at_s / 60 for each in samples]
        waiting = np.array([each.waiting for each in samples], np.float64)
        running = np.array([each.running for each in samples], np.float64)
        axes.plot(at, waiting, color=VERMILLION, ls="--", lw=1.2, label="waiting")
        axes.plot(at, running, color=BLUE, lw=1.2, label="in hand")
        axes.set(xlabel="minutes", ylabel="cases", ylim=(0, None), xlim=(0, None))
        return _with_legend(figure, axes)

    return draw


def _memory(course: Course) -> Drawing:
    def draw() -> Figure:
        figure = Figure((WIDTH_INCHES, HEIGHT_INCHES + 0.8), layout="constrained")
        axes = figure.subplots()
        shown = course.samples[:: -(-len(course.samples) // MOST_SAMPLES)]
        levels = {each.child: each.level_mib for each in course.growth}
        for place, (child, level) in enumerate(levels.items()):
            colour, dashes = LINES[place % len(LINES)]
            there = [each for each in shown if child in each.memory_mib]
            off = [each.memory_mib[child] - level for each in there]
            at = [each.at_s / 60 for each in there]
            axes.plot(
                at,
                off,
                color=colour,
                ls=dashes,
                lw=1.2,
                label=f"{child} {level:.0f} MiB",
            )
        axes.axvline(course.samples[-1].at_s * WARM_UP_SHARE / 60, color="0.6", lw=0.8)
        axes.set(xlabel="minutes", ylabel="MiB above its mean", xlim=(0, None))
        return _with_legend(figure, axes, columns=2)

    return draw


def _figure() -> tuple[Figure, Axes]:
    figure = Figure((WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
    return figure, figure.subplots()


def _with_legend(figure: Figure, axes: Axes, columns: int = 3) -> Figure:
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=columns,
        handlelength=2.5,
    )
    return figure


def _steps(course: Course) -> np.ndarray:
    return np.linspace(0, max(course.seconds, 1e-3), STEPS + 1)


def _by_step(timed: Sequence[tuple[float, float]], course: Course) -> list[list[float]]:
    """Values by the step in which their time lies."""
    steps: list[list[float]] = [[] for _ in range(STEPS)]
    for at_s, value in timed:
        steps[min(int(at_s / max(course.seconds, 1e-3) * STEPS), STEPS - 1)].append(
            value
        )
    return steps
