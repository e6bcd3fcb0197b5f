import io

import pytest
from rich.console import Console

from cli.output.progress import StageProgress, duration, line


def test_a_log_gets_the_first_word_of_each_stage_and_not_every_step():
    buffer = io.StringIO()
    with StageProgress(Console(file=buffer, width=200)) as progress:
        for done in range(1, 11):
            progress("features", done / 10, f"{done} of 10 images", {})
        progress("readers", 0.5, "[alexnet] svm", {"auc": 0.9})
    assert buffer.getvalue().splitlines() == [
        "features 10%: 1 of 10 images",
        "readers 50%: [alexnet] svm",
    ]


def test_a_terminal_gets_a_bar_for_each_stage():
    buffer = io.StringIO()
    with StageProgress(
        Console(file=buffer, width=120, force_terminal=True)
    ) as progress:
        progress("tuning", 1.0, "vgg16", {})
        progress("tuning", 0.2, "alexnet", {})
        progress("readers", 0.5, "[alexnet] svm", {})
    output = buffer.getvalue()
    assert "tuning" in output
    assert "20%" in output
    assert "[alexnet] svm" in output


@pytest.mark.parametrize(
    ("fraction", "spent_s", "text"),
    [
        (0.01, 10, "features 1%: x"),
        (0.5, 60, "features 50%, about 60 s left: x"),
        (0.25, 600, "features 25%, about 30 min left: x"),
        (1.0, 600, "features 100%: x"),
    ],
)
def test_what_is_left_is_estimated_from_what_is_done(fraction, spent_s, text):
    assert line("features", fraction, "x", spent_s) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (120, "2 min"), (9000, "2.5 h")]
)
def test_durations_are_told_in_a_fitting_unit(seconds, text):
    assert duration(seconds) == text
