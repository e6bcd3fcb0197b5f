import pytest

from cli.commands.hospital import (
    NotANumber,
    cutoff_line,
    load_line,
    operating_point_cells,
    parse_number,
    referral_lines,
    retention_cell,
    retention_line,
    settings_cells,
)

RATE = {"value": 0.912, "low": 0.88, "high": 0.94, "count": 91, "of": 100}
CUTOFF = {
    "rule": "sensitivity>=0.9",
    "cutoff": 0.31,
    "sensitivity": RATE,
    "specificity": RATE,
    "ppv": 0.5,
    "npv": 0.97,
}
REFERRAL = {
    "alpha": 0.1,
    "benign_coverage": RATE,
    "malignant_coverage": RATE,
    "refer_rate": 0.234,
}
LIVE = {
    "model": "light/2",
    "digest": "9f2c" * 16,
    "cutoff": CUTOFF,
    "referral": REFERRAL,
}


@pytest.mark.parametrize(("text", "value"), [("0.9", 0.9), ("default", None)])
def test_a_setting_is_a_number_or_the_word_that_takes_it_back(text, value):
    assert parse_number("prevalence", text) == value


def test_another_word_is_refused_with_an_example():
    with pytest.raises(
        NotANumber,
        match=r"--target-sensitivity takes a number such as 0\.9, or the word `default`",
    ):
        parse_number("target_sensitivity", "high")


def test_what_the_installation_decides_stands_in_brackets():
    in_use = {
        "in_use": {"prevalence": 0.23, "fna_rule": "rule/1"},
        "prevalence": None,
        "fna_rule": "rule/1",
    }
    assert settings_cells(in_use) == ("(23%)", "rule/1")


def test_the_outcome_is_told_in_a_line_of_the_table_and_in_words():
    assert operating_point_cells(LIVE) == (
        "0.310",
        "sensitivity>=0.9",
        "91.2%",
        "91.2%",
        "0.1",
        "23%",
    )
    assert operating_point_cells(None) == ("-",) * 6
    assert (
        "light/2: sensitivity 91.2% (88.0-94.0), specificity 91.2% (88.0-94.0); expected "
        "here: PPV 50%, NPV 97.0%"
    ) in cutoff_line(LIVE)
    assert "about 23% here" in referral_lines(REFERRAL)[0]
    assert referral_lines(None) == ["Uncertain cases are not referred."]


def test_how_much_it_may_send_is_told_in_a_line():
    in_use = {"rate_per_minute": 600, "inflight_quota": 50, "weight": 2.0}
    result = load_line({"in_use": in_use})
    assert result == (
        "It may send 600 cases a minute, 50 unanswered at a time; its share beside others "
        "counts 2."
    )


def test_how_long_cases_are_kept_is_told_in_a_line():
    assert (
        retention_line({"in_use": {"retention_days": None}, "due": 0})
        == "Its cases are kept for ever."
    )
    result = retention_line({"in_use": {"retention_days": 365.0}, "due": 3})
    assert (
        result
        == "Its cases are erased after 365 days; older now, and erased with the next sweep: 3."
    )


@pytest.mark.parametrize(
    ("setting", "in_use", "text"), [(30, 30.0, "30 days"), (None, 365.0, "(365 days)")]
)
def test_how_long_cases_are_kept_stands_in_the_table(setting, in_use, text):
    assert (
        retention_cell(
            {"retention_days": setting, "in_use": {"retention_days": in_use}}
        )
        == text
    )
    assert (
        retention_cell({"retention_days": None, "in_use": {"retention_days": None}})
        == "(for ever)"
    )


def test_nothing_to_set_is_said_before_anything_is_asked(sera):
    code, _, output = sera("hospital", "set", "north")
    assert code == 1
    assert "[nothing-to-set]" in output
