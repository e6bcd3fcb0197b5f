from io import StringIO

from rich.console import Console

from cli.work.model_swap import report_of_workers, wait_for_workers

NEW = "a" * 64
OLD = "b" * 64
QUIET = Console(file=StringIO())


def worker(name, model, refused=None):
    result = (
        {"model": refused, "code": "bundle-tampered", "message": "Its digest differs."}
        if refused
        else None
    )
    return {"worker": name, "model": model, "refused": result}


class Gateway:
    """Tells of the workers as they are at each question, the last answer again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def get_list(self, _path):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_it_waits_until_every_worker_serves_the_model():
    workers = [worker("w1", NEW), worker("w2", NEW)]
    swap = wait_for_workers(
        Gateway([worker("w1", OLD), worker("w2", NEW)], workers), NEW, QUIET
    )
    assert (swap.complete, swap.serving) == (True, ["w1", "w2"])
    assert swap.lines() == ["Served by w1, w2."]


def test_a_worker_that_takes_too_long_is_named():
    swap = wait_for_workers(
        Gateway([worker("w1", OLD), worker("w2", NEW)]), NEW, QUIET, wait_s=0
    )
    assert (swap.complete, swap.waiting) == (False, ["w1"])
    assert "Not yet served by w1" in swap.lines()[0]


def test_a_worker_that_refuses_is_not_waited_for_and_the_way_back_is_told():
    swap = wait_for_workers(
        Gateway([worker("w1", OLD, refused=NEW), worker("w2", NEW)]), NEW, QUIET
    )
    assert (swap.complete, swap.waiting, swap.serving) == (False, [], ["w2"])
    assert "w1 refuses it: Its digest differs. [bundle-tampered]" in swap.lines()
    assert "./sera models rollback" in " ".join(swap.lines())


def test_what_a_worker_refused_before_does_not_matter():
    assert report_of_workers([worker("w1", OLD, refused="c" * 64)], NEW).waiting == [
        "w1"
    ]


def test_without_workers_nobody_is_waited_for():
    swap = wait_for_workers(Gateway([]), NEW, QUIET)
    assert swap.complete
    assert "No worker runs" in swap.lines()[0]
