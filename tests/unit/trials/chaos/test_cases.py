from trials.chaos.cases import HOSPITALS, plan, poison
from trials.slo import Kind


def test_a_plan_repeats_with_its_seed_and_not_with_another():
    assert plan(60, 1) == plan(60, 1)
    assert plan(60, 1) != plan(60, 2)


def test_no_two_cases_have_one_size_so_that_a_foreign_answer_is_known():
    cases = [*plan(400, 0), poison(400), poison(401)]
    assert len({case.size_mm for case in cases}) == len(cases)
    assert all(1 <= case.size_mm <= 200 for case in cases)


def test_every_hospital_sends_and_some_cases_are_spoilt_urgent_or_sent_twice():
    cases = plan(100, 0)
    assert {case.hospital for case in cases} == set(HOSPITALS)
    assert sum(case.kind is Kind.CORRUPT for case in cases) == 4
    assert sum(case.twice for case in cases) == 10
    assert sum(case.urgent for case in cases) == 15
