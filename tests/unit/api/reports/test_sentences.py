import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from services.api.cases.assessment import FNA_GUIDELINES
from services.api.locales import Language
from services.api.reports import sentences
from services.api.reports.sentences import translator
from services.api.web.languages import TRANSLATIONS
from shared.cases.result import SIZE_DIFFERS, SIZES_DIFFER, advise
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaOutcome
from shared.domain.results.rates import RateSource
from shared.domain.results.statement import MODEL_CAUTIONS, statement_of
from shared.guidelines import (
    DESCRIPTORS_EXAMPLE,
    GUIDELINES,
    RULES,
    TERMS_BY_FIELD,
    Focus,
    alternatives,
    assess,
    parse_descriptors,
    recommend,
)
from shared.guidelines.lexicon import (
    Composition,
    Descriptors,
    Echogenicity,
    Margin,
    Orientation,
)
from shared.imaging import errors
from shared.ledger.cases.reader_levels import ReaderLevel
from tests.support.builders import result

ROOT = Path(__file__).parents[4]
FOLDERS = ("shared/imaging", "shared/learning", "shared/cases", "services/worker")
ENGLISH = translator(Language.ENGLISH)


def warning_codes() -> Iterator[str]:
    """Yield the code of every warning: the first argument of each Finding in the source."""
    for file in (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(file.read_text())
        constants = dict(_constants(tree))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and _name_of(node.func) == "Finding"
                and node.args
            ):
                yield from _codes_of(node.args[0], constants)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield from ((_name_of(target), node.value.value) for target in node.targets)


def _codes_of(node: ast.expr, constants: dict[str, str]) -> Iterator[str]:
    code = (
        node.value if isinstance(node, ast.Constant) else constants.get(_name_of(node))
    )
    if isinstance(code, str):
        yield code


def _name_of(node: ast.expr) -> str:
    return getattr(node, "id", "")


@pytest.mark.parametrize("language", Language)
def test_every_warning_of_the_code_has_a_text(language):
    codes = set(warning_codes()) | set(MODEL_CAUTIONS)
    assert {
        "under-10-mm",
        "synthetic-model",
        "uncertain",
        "roi-absent",
        "out-of-distribution",
    } <= codes
    assert sorted(codes - _keys_of(language, "result.warning.")) == []


@pytest.mark.parametrize("language", Language)
def test_a_reason_has_a_text_or_falls_back_to_its_sentence(
    language,
):
    say = translator(language)
    assert sentences.reason(say, errors.ImageBlank.code, None) != sentences.reason(
        say, None, None
    )
    assert sentences.reason(say, "unheard-of", "Do this.") == "Do this."


def test_a_warning_keeps_its_figures_in_every_language():
    sizes = {"size_mm": 14.5, "measured_mm": 20.13}
    finding = Finding(SIZE_DIFFERS, SIZES_DIFFER.format(**sizes), sizes)
    assert sentences.warning(ENGLISH, finding) == finding.message
    korean = sentences.warning(translator(Language.KOREAN), finding)
    assert "14.5 mm" in korean
    assert "20.1 mm" in korean


def test_the_reason_of_a_referral_is_the_first_warning_of_a_case():
    findings = [
        Finding(code, code) for code in ("a", "synthetic-model", "b", "uncertain")
    ]
    answer = result(warnings=tuple(findings))
    assert sentences.case_warnings(ENGLISH, answer) == ["uncertain", "a", "b"]


def test_a_warning_without_a_text_or_without_its_figures_is_unchanged():
    for code in ("unheard-of", "size-differs"):
        assert sentences.warning(ENGLISH, Finding(code, "As written.")) == "As written."


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("risk", [0.001, 0.04, 0.1, 0.42, 0.9])
@pytest.mark.parametrize("size_mm", [4.0, 9.96, 10.0, 14.5, 15.0, 30.0])
def test_english_advice_says_what_the_guidelines_say(rule, risk, size_mm):
    advice = recommend(risk, size_mm, rule)
    sentence = sentences.advice_sentence(ENGLISH, advice)
    if (
        advice.outcome in (FnaOutcome.DUE, FnaOutcome.NOT_DUE)
        and advice.threshold_mm is not None
    ):
        assert sentence.split(". Ultrasound")[0].rstrip(".") == advice.text.split(
            "; ultrasound"
        )[0].rstrip(".")
    assert bool(advice.follow_up_years) is ("Ultrasound again" in sentence)
    assert sentences.advice_sentence(translator(Language.KOREAN), advice)


def test_an_undecided_guideline_gives_no_advice():
    nodule = Descriptors(
        Composition.MIXED, Echogenicity.HYPOECHOIC, Orientation.WIDER, Margin.IRREGULAR
    )
    kwak = assess(nodule, 12, "Kwak-2011")
    assert sentences.advice_sentence(ENGLISH, kwak).startswith("No advice")


def test_a_rule_is_named_after_its_guideline_and_an_unknown_one_by_itself():
    assert (
        sentences.rule(ENGLISH, "risk-band/ACR-2017/1")
        == "ACR TI-RADS 2017, by risk (SERA rule 1)"
    )
    assert sentences.rule(ENGLISH, "house-rule") == "house-rule"


def test_a_threshold_says_whether_it_has_to_be_exceeded():
    thresholds = {
        sentences.threshold(ENGLISH, alternative)
        for alternative in alternatives(0.42, 14.5)
    }
    assert thresholds == {"> 10 mm", "≥ 10 mm"}
    assert sentences.threshold(ENGLISH, recommend(0.001, 14.5)) == "none"


def test_the_scale_names_the_risk_at_the_cutoff():
    assert "cut-off is at 19 %" in sentences.scale_sentence(
        ENGLISH, result(cutoff_risk=0.19)
    )


def test_a_case_without_a_size_gets_no_advice_with_the_reason():
    statement = statement_of(result(fna=None))
    assert sentences.fna_headline(ENGLISH, statement) == "no FNA advice"
    assert sentences.headline(ENGLISH, statement) == "No suspicion level"
    assert "No size was given" in sentences.advice_sentence(ENGLISH, None)
    assert sentences.by_risk(None) == ()


def _keys_of(language: Language, prefix: str) -> set[str]:
    keys = TRANSLATIONS[language].keys()
    return {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}


@pytest.mark.parametrize("language", Language)
def test_every_level_of_a_rule_by_risk_has_its_suspicion_in_words(language):
    levels = {band.level for rule in RULES.values() for band in rule.bands}
    keys = {level.replace(" ", "-") for level in levels}
    assert keys == _keys_of(language, "result.suspicion.")


@pytest.mark.parametrize("language", Language)
def test_every_caution_about_a_model_has_a_short_form(language):
    assert set(MODEL_CAUTIONS) == _keys_of(language, "common.caution.")


def test_the_rates_of_a_cut_off_say_where_they_were_measured():
    rates = result().cutoff_rates
    by_source = {
        source: sentences.rates_sentence(ENGLISH, replace(rates, source=source))
        for source in RateSource
    }
    assert "not on a test set" in by_source[RateSource.CROSS_VALIDATION]
    assert by_source[RateSource.LOCKED_TEST] == (
        "On the locked test set, this cut-off has a sensitivity of 96 % (95 % interval 94 to "
        "97 %) and a specificity of 52 % (95 % interval 49 to 55 %)."
    )
    assert "were not stored" in sentences.rates_sentence(ENGLISH, None)


def test_a_referred_past_case_has_no_answer():
    assert sentences.earlier_answer(ENGLISH, "refer", 0.42) == "no answer"
    assert (
        sentences.earlier_answer(ENGLISH, "benign", 0.42)
        == "risk 42 %, below the cut-off"
    )


def test_a_level_that_a_person_entered_names_guideline_person_and_time():
    level = ReaderLevel(
        guideline="K-TIRADS-2021",
        level="K-TIRADS 4",
        person=UUID(int=1),
        name="han",
        at=datetime(2026, 3, 14, tzinfo=UTC),
    )
    words = sentences.reader_level(ENGLISH, level, "14 March")
    assert words == "K-TIRADS 4 (K-TIRADS 2021) by han, 14 March"
    assert sentences.earlier_answer(ENGLISH, None, None) == "Your own level first"


@pytest.mark.parametrize("language", Language)
def test_every_term_of_the_lexicon_has_a_text(language):
    keys = {
        f"{field}.{term}"
        for field, terms in {**TERMS_BY_FIELD, "foci": Focus}.items()
        for term in (*terms, "title")
    }
    assert sorted(keys - _keys_of(language, "lexicon.")) == []


def test_descriptors_are_put_into_words_including_absent_foci():
    descriptors = {
        **DESCRIPTORS_EXAMPLE,
        "composition": "mixed",
        "foci": [],
        "eccentric": True,
    }
    words_by_title = dict(sentences.described(ENGLISH, descriptors))
    assert (
        words_by_title["Composition"]
        == "Mixed cystic and solid. The solid part lies to one side (eccentric)"
    )
    assert (words_by_title["Shape"], words_by_title["Echogenic foci"]) == (
        "Wider than tall",
        "None",
    )


def test_guidelines_by_risk_and_by_descriptors_are_side_by_side():
    fna = advise(0.42, 14.5, "risk-band/K-TIRADS-2021/1")
    by_descriptors = [
        assess(parse_descriptors(DESCRIPTORS_EXAMPLE), 14.5, name)
        for name in ("ACR-2017", "ATA-2015")
    ]
    rows = sentences.side_by_side(ENGLISH, fna, by_descriptors)
    assert [name for name, _, _ in rows] == [
        "K-TIRADS 2021",
        "ACR TI-RADS 2017",
        "K-TIRADS 2016",
        "ATA 2015",
    ]
    assert rows[1][1:] == (
        next(advice for advice in fna.alternatives if "ACR" in advice.rule),
        by_descriptors[0],
    )
    assert (rows[0][2], rows[3][1]) == (None, None)


@pytest.mark.parametrize(
    "name",
    sorted(
        {level.name for guideline in GUIDELINES.values() for level in guideline.levels}
    ),
)
def test_an_english_level_has_the_name_of_its_guideline(name):
    assert sentences.level(ENGLISH, name) == name


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("guideline", GUIDELINES)
def test_a_guideline_has_a_name_in_every_language(guideline, language):
    assert sentences.rule(translator(language), guideline) != guideline


def test_every_level_that_is_shown_in_words_is_translated_into_korean():
    names = {level.name for name in FNA_GUIDELINES for level in GUIDELINES[name].levels}
    in_words = {name for name in names if re.search("[a-z]{2}", name)}
    korean = translator(Language.KOREAN)
    assert in_words
    assert {name for name in in_words if sentences.level(korean, name) == name} == set()


def test_a_level_in_words_is_translated_into_korean():
    levels = [
        sentences.level(translator(Language.KOREAN), name)
        for name in ("high suspicion", "TR5", None)
    ]
    assert levels == ["높은 의심", "TR5", "–"]


@pytest.mark.parametrize(
    ("risk", "text"),
    [
        (0.0, "0 %"),
        (0.003, "<1 %"),
        (0.0127, "1 %"),
        (0.0196, "1.96 %"),
        (0.0427, "4 %"),
        (0.047, "4.7 %"),
        (0.0496, "4.96 %"),
        (0.05, "5 %"),
        (0.199, "20 %"),
        (0.2001, "20.01 %"),
        (0.424, "42 %"),
        (0.997, ">99 %"),
        (1.0, "100 %"),
    ],
)
def test_a_risk_is_whole_per_cent_unless_that_crosses_a_limit(risk, text):
    assert sentences.risk_percent(risk) == text


def test_a_shown_risk_has_the_level_of_the_risk_itself():
    for thousandth in range(6, 994):
        risk = thousandth / 1000 + 0.0004
        shown = float(sentences.risk_percent(risk).removesuffix(" %")) / 100
        for rule in RULES.values():
            assert rule.level(shown) == rule.level(risk), (risk, rule.name)


@pytest.mark.parametrize("language", Language)
def test_every_warning_about_a_case_has_a_short_name(language):
    translate = TRANSLATIONS[language]
    codes = set(warning_codes()) - {*MODEL_CAUTIONS}
    assert [code for code in codes if f"result.remark.{code}" not in translate] == []
