"""Formats the numbers of the report, and names its sections."""

import math

from shared.statistics import Interval
from shared.study.results import Section

EMPTY_MARK = "–"
SECTION_TITLES = {
    Section.TUNED: "Networks tuned end to end",
    Section.FEATURES: "One feature set, one classifier",
    Section.SMALL_CONCATENATIONS: "Concatenations of two or three feature sets",
    Section.LARGE_CONCATENATIONS: "Concatenations of four to six feature sets",
    Section.ENSEMBLES: "Classification ensembles",
    Section.MODEL: "The recipe's own model",
    Section.READERS: "People",
}
SECTION_DESCRIPTIONS = {
    Section.TUNED: (
        "Each network was trained on the study's images and judged by its own softmax."
    ),
    Section.FEATURES: (
        "Features of one network (or by formula), read by one classifier."
    ),
    Section.SMALL_CONCATENATIONS: (
        "The features of two or three sets side by side, read by one classifier."
    ),
    Section.LARGE_CONCATENATIONS: (
        "The features of four to six sets side by side, read by one classifier."
    ),
    Section.ENSEMBLES: (
        "Several classifiers put together: those of one network (a), one of each network (b), "
        "all (c)."
    ),
    Section.MODEL: (
        "What the bundle holds: the recipe's feature sets and classifiers, fused by its rule."
    ),
    Section.READERS: (
        "From the manifest's columns reader_NAME, on the images each person judged."
    ),
}


def file_stem(section: Section) -> str:
    """Return the name of a section's CSV file, without its suffix."""
    return section.value.replace("-", "_")


def format_auc(value: float) -> str:
    return EMPTY_MARK if math.isnan(value) else f"{value:.3f}"


def format_percent(value: float) -> str:
    """Return a fraction in per cent, with one decimal."""
    return EMPTY_MARK if math.isnan(value) else f"{100 * value:.1f}"


def format_auc_interval(interval: Interval) -> str:
    return f"{interval.low:.3f}–{interval.high:.3f}"


def format_percent_interval(interval: Interval) -> str:
    return f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"


def format_p_value(value: float) -> str:
    if math.isnan(value):
        return EMPTY_MARK
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def format_signed(value: float, text: str) -> str:
    """Return a difference with its sign; `text` is its formatted absolute value."""
    if math.isnan(value) or value == 0:
        return text
    sign = "+" if value > 0 else "−"
    return f"{sign}{text}"
