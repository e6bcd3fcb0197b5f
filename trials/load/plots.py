"""Draws the figures of a load's report as SVG text."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from shared.drawing import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH_INCHES,
    svg,
)
from trials.load.arrivals import shares
from trials.load.metrics import MIN_CASES, WARM_UP_SHARE, Share, result_s, submit_s
from trials.load.run import LoadRun

HEIGHT_INCHES = 3.4
STEPS = 60
"""The number of time steps of a run."""
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
MAX_SAMPLES = 240


def draw_all(run: LoadRun) -> dict[str, tuple[str, str]]:
    """SVG and caption of every figure that has data, by name."""
    if not run.sent_cases:
        return {}
    figures = [
        ("shares", "Latency by share of cases", draw_by_share, BY_SHARE),
        ("latency", "Latency over time", draw_over_time, OVER_TIME),
        ("traffic", "Cases sent and answered", draw_traffic, TRAFFIC),
        ("hospitals", "Latency by hospital", draw_hospitals, HOSPITALS),
    ]
    if any(sample.waiting is not None for sample in run.samples):
        figures.append(("queue", "Queue", draw_queue, QUEUE))
    if any(sample.memory_mib for sample in run.samples):
        figures.append(("memory", "Memory", draw_memory, MEMORY))
    return {
        name: (svg(name, title, partial(draw, run)), caption)
        for name, title, draw, caption in figures
    }


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
    f"{MIN_CASES} results are too few to be judged by. Below, how many cases each "
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


def draw_by_share(run: LoadRun) -> Figure:
    figure, axes = _figure()
    series = (
        ("result", result_s(run.sent_cases), LINES[0]),
        ("accepted", submit_s(run.sent_cases), LINES[1]),
    )
    for name, seconds, (colour, dashes) in series:
        if seconds:
            shares_shown = SHARES[1 - 1 / (len(seconds) + 1) >= SHARES]
            axes.plot(
                1 / (1 - shares_shown),
                np.quantile(seconds, shares_shown),
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
    ticks = [
        share for share in TICKS if 1 / (1 - share) <= max(len(run.sent_cases), 10)
    ]
    axes.set_xticks(
        [1 / (1 - share) for share in ticks],
        [f"{100 * share:g} %" for share in ticks],
    )
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    return _with_legend(figure, axes)


def draw_over_time(run: LoadRun) -> Figure:
    figure, axes = _figure()
    answered = [
        (case.arrival.at_s, case.answered_s)
        for case in run.sent_cases
        if case.answered_s is not None
    ]
    edges = _step_edges_s(run)
    seconds_by_step = _by_step(answered, run)
    for name, aggregate, (colour, dashes) in (
        ("slowest", max, (SKY, "-")),
        ("p95", lambda seconds: np.quantile(seconds, 0.95), (VERMILLION, "--")),
        ("median", np.median, (BLUE, "-")),
    ):
        values = [
            aggregate(seconds) if seconds else np.nan for seconds in seconds_by_step
        ]
        axes.plot(edges[:-1] / 60, values, color=colour, ls=dashes, lw=1.4, label=name)
    axes.set(
        xlabel="minutes",
        ylabel="seconds to a result",
        ylim=(0, None),
        xlim=(0, None),
    )
    return _with_legend(figure, axes)


def draw_traffic(run: LoadRun) -> Figure:
    figure, axes = _figure()
    edges = _step_edges_s(run)
    due_s = [case.arrival.at_s for case in run.sent_cases]
    answered_s = [
        case.arrival.at_s + case.answered_s
        for case in run.sent_cases
        if case.answered_s is not None
    ]
    for name, times, (colour, dashes) in (
        ("due", due_s, LINES[1]),
        ("answered", answered_s, LINES[0]),
    ):
        rate = np.histogram(times, edges)[0] / np.diff(edges)
        axes.plot(edges[:-1] / 60, rate, color=colour, ls=dashes, lw=1.3, label=name)
    axes.axhline(run.load.rate, color="0.7", lw=0.8)
    axes.set(xlabel="minutes", ylabel="cases a second", ylim=(0, None), xlim=(0, None))
    return _with_legend(figure, axes)


def draw_hospitals(run: LoadRun) -> Figure:
    figure = Figure((WIDTH_INCHES, HEIGHT_INCHES + 0.8), layout="constrained")
    axes, lower_axes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    names = run.load.names
    position = {name: number for number, name in enumerate(names, 1)}
    groups = _marker_groups(run.shares)
    for name, quantile, colour, marker in (
        ("p95", "p95", VERMILLION, "s"),
        ("median", "p50", BLUE, "o"),
    ):
        for group in groups:
            positions = [position[share.hospital] for share in group.shares]
            values = [getattr(share.result, quantile) for share in group.shares]
            face = "none" if group.is_hollow else colour
            label = name if group.is_labelled else None
            axes.plot(
                positions, values, marker, ms=4, mfc=face, mec=colour, label=label
            )
    axes.set(ylabel="seconds to a result", ylim=(0, None))
    lower_axes.bar(
        [position[share.hospital] for share in run.shares],
        [share.sent for share in run.shares],
        color=BLUE,
    )
    expected = np.array(shares(len(names))) * len(run.sent_cases)
    lower_axes.plot(range(1, len(names) + 1), expected, color=BLACK, lw=0.9)
    lower_axes.set(xlabel="hospital", ylabel="cases")
    return _with_legend(figure, axes)


def draw_queue(run: LoadRun) -> Figure:
    figure, axes = _figure()
    samples = [sample for sample in run.samples if sample.waiting is not None]
    minutes = [sample.at_s / 60 for sample in samples]
    waiting = np.array([sample.waiting for sample in samples], np.float64)
    running = np.array([sample.running for sample in samples], np.float64)
    axes.plot(minutes, waiting, color=VERMILLION, ls="--", lw=1.2, label="waiting")
    axes.plot(minutes, running, color=BLUE, lw=1.2, label="in hand")
    axes.set(xlabel="minutes", ylabel="cases", ylim=(0, None), xlim=(0, None))
    return _with_legend(figure, axes)


def draw_memory(run: LoadRun) -> Figure:
    figure = Figure((WIDTH_INCHES, HEIGHT_INCHES + 0.8), layout="constrained")
    axes = figure.subplots()
    samples = run.samples[:: -(-len(run.samples) // MAX_SAMPLES)]
    levels = {sample.child: sample.level_mib for sample in run.growth}
    for position, (child, level) in enumerate(levels.items()):
        colour, dashes = LINES[position % len(LINES)]
        child_samples = [sample for sample in samples if child in sample.memory_mib]
        offsets = [sample.memory_mib[child] - level for sample in child_samples]
        minutes = [sample.at_s / 60 for sample in child_samples]
        axes.plot(
            minutes,
            offsets,
            color=colour,
            ls=dashes,
            lw=1.2,
            label=f"{child} {level:.0f} MiB",
        )
    axes.axvline(run.samples[-1].at_s * WARM_UP_SHARE / 60, color="0.6", lw=0.8)
    axes.set(xlabel="minutes", ylabel="MiB above its mean", xlim=(0, None))
    return _with_legend(figure, axes, columns=2)


@dataclass(frozen=True)
class MarkerGroup:
    """Hospitals whose markers look the same."""

    shares: list[Share]
    is_hollow: bool
    is_labelled: bool


def _marker_groups(hospital_shares: Sequence[Share]) -> list[MarkerGroup]:
    """The hospitals with enough results, and those with few; hospitals without any are left out."""
    judged_shares = [
        share for share in hospital_shares if share.result.count >= MIN_CASES
    ]
    unjudged_shares = [
        share for share in hospital_shares if 0 < share.result.count < MIN_CASES
    ]
    return [
        MarkerGroup(shares=judged_shares, is_hollow=False, is_labelled=True),
        MarkerGroup(
            shares=unjudged_shares, is_hollow=True, is_labelled=not judged_shares
        ),
    ]


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


def _step_edges_s(run: LoadRun) -> NDArray[np.float64]:
    return np.linspace(0, max(run.seconds, 1e-3), STEPS + 1)


def _by_step(timed: Sequence[tuple[float, float]], run: LoadRun) -> list[list[float]]:
    """The values of each step of the run."""
    steps: list[list[float]] = [[] for _ in range(STEPS)]
    duration_s = max(run.seconds, 1e-3)
    for time_s, value in timed:
        index = int(time_s / duration_s * STEPS)
        steps[min(index, STEPS - 1)].append(value)
    return steps
