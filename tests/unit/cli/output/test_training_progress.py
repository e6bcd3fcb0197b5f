from io import StringIO

from rich.console import Console

from cli.output.training_progress import RunDisplay, draw_run, headline, line


def step(name, kind, state="waiting", fraction=0.0, seconds=None):
    return {
        "name": name,
        "kind": kind,
        "state": state,
        "fraction": fraction,
        "seconds": seconds,
        "message": None,
    }


RUN = {
    "state": "running",
    "dataset": "set",
    "version": 2,
    "recipe": "light",
    "fraction": 0.25,
    "eta_s": 120.0,
    "stage": "fold",
    "message": "fold 2 of 4",
    "steps": [
        step("fold/0", "fold", "done", 1.0, 3.0),
        step("fold/1", "fold", "running", 0.5, 2.0),
        step("bundle", "bundle"),
    ],
}
EPOCH = {
    "step": "tuning/1-alexnet/0",
    "message": "alexnet: fold 1 of 6, epoch 2 of 4",
    "metrics": {"loss": 0.51234, "auc": 0.8, "epoch": 2},
}


def printed(terminal, *looks):
    buffer = StringIO()
    with RunDisplay(
        Console(file=buffer, force_terminal=terminal, width=100, color_system=None)
    ) as screen:
        for run, events in looks:
            screen.show(run, events)
    return buffer.getvalue()


def test_a_line_tells_how_far_a_run_is_and_what_is_left():
    assert headline(RUN) == "running 25%, about 2 min left: fold 2 of 4"
    assert headline(RUN | {"state": "queued"}) == "waiting for a trainer"


def test_an_epoch_is_told_with_its_loss_and_auc():
    assert line(EPOCH).endswith("epoch 2 of 4 (loss 0.512, auc 0.800)")


def test_a_log_gets_every_epoch_and_a_headline_now_and_then():
    result = printed(False, (RUN, [EPOCH]), (RUN, []), (RUN, []))
    assert result.count("loss 0.512") == 1
    assert result.count("running 25%") == 1


def test_a_terminal_shows_stages_the_step_in_work_and_the_last_epochs():
    buffer = StringIO()
    Console(file=buffer, width=120, color_system=None).print(draw_run(RUN, [EPOCH]))
    output = buffer.getvalue()
    assert "set/2" in output
    assert "1/2" in output
    assert not [row for row in output.splitlines() if "━" in row and "fold" in row]
    assert "fold/1 50%" in output
    assert "loss 0.512" in output
    assert "tuning/1-alexnet/0" in printed(True, (RUN, [EPOCH]))
