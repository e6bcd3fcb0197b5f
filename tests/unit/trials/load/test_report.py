import json
import re

import pytest

from tests.support.load_results import answered, case, run, unanswered
from trials.load.clients import Fault
from trials.load.errors import ReportUnwritable
from trials.load.report import check_writable, render, summary, to_json, write
from trials.load.run import judged
from trials.slo import Violations

MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def page() -> str:
    return render(run())


def test_the_page_stands_alone_and_is_small(page):
    assert len(page.encode()) < MOST_BYTES
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "<script" not in page
    assert "@import" not in page


def test_every_figure_is_drawn_and_named_to_who_cannot_see_it(page):
    drawn = re.findall(
        r'<figure id="figure-(\w+)">\s*<svg role="img" aria-label="[^"]+"', page
    )
    assert drawn == ["shares", "latency", "traffic", "hospitals", "queue", "memory"]
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)


def test_the_page_says_its_rules_and_that_they_were_kept(page):
    for rule in run().rules:
        assert rule.name in page
    assert "Every promise was kept that could be judged." in page
    assert "under 10 minutes processes still warm up" in page


def test_a_broken_promise_heads_the_page_and_its_first_sentences_are_told():
    violations = tuple(
        f"good case {number} of load-01 was never answered" for number in range(13)
    )
    page = render(run(answers=Violations(lost=violations)))
    assert "A promise was broken." in page
    assert page.count("was never answered") == 10
    assert "and 3 more" in page


def test_the_json_beside_it_has_the_same_figures(tmp_path):
    went = run([Fault(1.0, "429")])
    write(went, tmp_path / "load.html")
    body = json.loads((tmp_path / "load.json").read_text())
    assert body["load"] == {"hospitals": 4, "rate": 5.0, "minutes": 1.0, "seed": 3}
    assert body["cases"] == {
        "sent": len(went.sent_cases),
        "done": len(went.sent_cases),
        "open": 0,
    }
    assert (body["errors"], body["passed"]) == ({"429": 1}, True)
    assert body["result"]["p95"] == pytest.approx(went.result.p95, abs=1e-4)
    assert sum(count for _, count in body["result"]["histogram"]) == len(
        went.sent_cases
    )
    assert {rule["name"]: rule["state"] for rule in body["rules"]}[
        "flat memory"
    ] == "not judged"


def test_the_json_of_a_broken_load_has_every_sentence():
    result = to_json(run(answers=Violations(lost=("one", "two"))))
    assert not result["passed"]
    assert next(rule for rule in result["rules"] if rule["name"] == "none lost")[
        "broken"
    ] == [
        "one",
        "two",
    ]


def test_a_load_that_was_interrupted_at_once_is_reported_too():
    went = run(interrupted=True, samples=[])
    went.notes.sent_cases.clear()
    page = render(went)
    assert "Interrupted" in page
    assert "<figure" not in page


def test_a_load_of_a_stack_elsewhere_has_no_memory_to_tell_of():
    page = render(run(is_local=False, samples=[]))
    assert 'id="figure-memory"' not in page
    assert "not this machine&#39;s own" in page


def test_a_program_that_was_late_itself_says_so():
    went = run()
    for sent in went.sent_cases:
        sent.late_s = 0.5
    assert "upper bounds" in summary(went)[-1]


def test_a_place_that_cannot_be_written_to_is_refused_before_the_load(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "report.html", tmp_path):
        with pytest.raises(ReportUnwritable):
            check_writable(place)
    check_writable(tmp_path / "new" / "report.html")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_case_without_its_answer_is_lost_unless_the_load_was_interrupted():
    sent = [answered(case(0)), unanswered(case(1)), unanswered(case(2))]
    sent[2].record.receipts.clear()
    listed = {"load-01": [sent[0].record.job]}
    assert len(judged(sent, {}, interrupted=False).lost) == 2
    assert judged(sent[:1], listed, interrupted=True).passed
    assert judged(sent, {}, interrupted=True).passed


def test_a_case_that_is_still_read_when_time_is_up_is_stuck_as_its_hospitals_list_tells():
    sent = unanswered(case(1))
    job = sent.record.receipts[0] | {"state": "running", "attempts": 1, "reason": None}
    assert len(judged([sent], {"load-01": [job]}, interrupted=False).stuck) == 1
