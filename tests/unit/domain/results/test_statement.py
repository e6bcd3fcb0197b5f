import json
from dataclasses import replace

import pytest

from shared.domain.results.fna import FnaOutcome
from shared.domain.results.prediction import Verdict
from shared.domain.results.result import Result
from shared.domain.results.statement import (
    HIGHEST_LEVELS,
    Contrast,
    CutoffSide,
    StatementFacts,
    Tone,
    make_statement,
    statement_of,
)
from shared.guidelines import RULES
from tests.support.builders import result

FACTS = StatementFacts(
    decision=Verdict.BENIGN,
    risk=0.22,
    level="TR5",
    fna=FnaOutcome.DUE,
    warnings=("roi-absent",),
)


def test_the_highest_levels_are_those_of_the_rules():
    assert {rule.bands[-1].level for rule in RULES.values()} == HIGHEST_LEVELS


def test_advice_for_fna_below_the_cut_off_holds_and_is_explained():
    statement = make_statement(FACTS)
    assert (statement.level, statement.fna) == ("TR5", FnaOutcome.DUE)
    assert (statement.side, statement.tone) == (CutoffSide.BELOW, Tone.ALERT)
    assert statement.contrast is Contrast.FNA_BELOW_CUTOFF


@pytest.mark.parametrize(
    ("decision", "level", "fna", "contrast"),
    [
        (Verdict.MALIGNANT, "TR5", FnaOutcome.DUE, None),
        (Verdict.MALIGNANT, "TR4", FnaOutcome.CONSIDER, None),
        (
            Verdict.MALIGNANT,
            "TR5",
            FnaOutcome.NOT_DUE,
            Contrast.NO_FNA_ABOVE_CUTOFF,
        ),
        (Verdict.MALIGNANT, None, None, None),
        (Verdict.BENIGN, "TR4", FnaOutcome.CONSIDER, Contrast.FNA_BELOW_CUTOFF),
        (
            Verdict.BENIGN,
            "K-TIRADS 5",
            FnaOutcome.NOT_DUE,
            Contrast.LEVEL_BELOW_CUTOFF,
        ),
        (Verdict.BENIGN, "TR3", FnaOutcome.NOT_DUE, None),
        (Verdict.BENIGN, None, None, None),
    ],
)
def test_a_contrast_is_named_only_where_there_is_one(decision, level, fna, contrast):
    facts = replace(FACTS, decision=decision, level=level, fna=fna)
    assert make_statement(facts).contrast is contrast


def test_a_referred_case_states_nothing_but_the_cautions_about_the_model():
    referred = replace(
        FACTS,
        decision=Verdict.REFER,
        warnings=("few-training-images", "uncertain", "synthetic-model"),
    )
    statement = make_statement(referred)
    stated = (statement.level, statement.fna, statement.risk, statement.side)
    assert (statement.answered, stated) == (False, (None, None, None, None))
    assert statement.cautions == ("synthetic-model", "few-training-images")
    assert (statement.tone, statement.reasons) == (Tone.CAUTION, ("uncertain",))


def test_without_a_size_there_is_a_risk_and_no_level():
    statement = statement_of(result(fna=None))
    assert (statement.level, statement.fna) == (None, FnaOutcome.UNDECIDED)
    assert statement.risk == result().risk


def earlier_body() -> dict:
    """The stored form of a result of the release before."""
    body = json.loads(json.dumps(result().to_json()))
    del body["cutoff_rates"]
    del body["prevalence_assumed"]
    kept = ("name", "version", "digest")
    body["model"] = {name: body["model"][name] for name in kept}
    for component in body["components"]:
        del component["prevalence"]
    return body


def test_a_result_of_the_release_before_is_read_without_the_new_facts():
    earlier = Result.from_json(earlier_body())
    assert (earlier.cutoff_rates, earlier.prevalence_assumed) == (None, None)
    assert (earlier.model.synthetic, earlier.model.gate) == (None, None)
    assert statement_of(earlier) == statement_of(result())


def test_components_on_another_scale_than_the_risk_are_not_shown():
    assert Result.from_json(earlier_body()).shown_components == ()
    assert result().shown_components == result().components
