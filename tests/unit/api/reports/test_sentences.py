import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api.locales import Language
from services.api.reports import sentences
from services.api.reports.sentences import translator
from services.api.web.languages import TRANSLATIONS
from shared.cases.result import SIZE_DIFFERS, SIZES_DIFFER, advise
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaOutcome
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
from tests.support.builders import result

ROOT = Path(__file__).parents[4]
WARNERS = ("shared/imaging", "shared/learning", "shared/cases", "services/worker")
SAY = translator(Language.ENGLISH)


def codes() -> Iterator[str]:
    """Of every warning that the code can give: the first word of a Finding."""
    for file in (file for folder in WARNERS for file in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(file.read_text())
        named = dict(_constants(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _id(node.func) == "Finding" and node.args:
                yield from _word(node.args[0], named)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield from ((_id(target), node.value.value) for target in node.targets)


def _word(node: ast.expr, named: dict[str, str]) -> Iterator[str]:
    word = node.value if isinstance(node, ast.Constant) else named.get(_id(node))
    if isinstance(word, str):
        yield word


def _id(node: ast.expr) -> str:
    return getattr(node, "id", "")


@pytest.mark.parametrize("language", Language)
def test_every_warning_of_the_code_has_a_text(language):
    found = set(codes())
    assert {
        "under-10-mm",
        "synthetic-model",
        "uncertain",
        "roi-absent",
        "out-of-distribution",
    } <= found
    assert sorted(found - _said(language, "result.warning.")) == []


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
    assert sentences.warning(SAY, finding) == finding.message
    korean = sentences.warning(translator(Language.KOREAN), finding)
    assert "14.5 mm" in korean
    assert "20.1 mm" in korean


def test_a_warning_without_a_text_or_without_its_figures_is_unchanged():
    for code in ("unheard-of", "size-differs"):
        assert sentences.warning(SAY, Finding(code, "As written.")) == "As written."


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("risk", [0.001, 0.04, 0.1, 0.42, 0.9])
@pytest.mark.parametrize("size_mm", [4.0, 9.96, 10.0, 14.5, 15.0, 30.0])
def test_english_advice_says_what_the_guidelines_say(rule, risk, size_mm):
    advice = recommend(risk, size_mm, rule)
    said = sentences.advice_sentence(SAY, advice)
    if (
        advice.outcome in (FnaOutcome.DUE, FnaOutcome.NOT_DUE)
        and advice.threshold_mm is not None
    ):
        assert said.split(". Ultrasound")[0].rstrip(".") == advice.text.split(
            "; ultrasound"
        )[0].rstrip(".")
    assert bool(advice.follow_up_years) is ("Ultrasound again" in said)
    assert sentences.advice_sentence(translator(Language.KOREAN), advice)


def test_an_undecided_guideline_gives_no_advice():
    nodule = Descriptors(
        Composition.MIXED, Echogenicity.HYPOECHOIC, Orientation.WIDER, Margin.IRREGULAR
    )
    kwak = assess(nodule, 12, "Kwak-2011")
    assert sentences.advice(SAY, kwak) == "FNA: no advice"
    assert sentences.advice_sentence(SAY, kwak).startswith("No advice")


def test_a_rule_is_named_after_its_guideline_and_an_unknown_one_by_itself():
    assert (
        sentences.rule(SAY, "risk-band/ACR-2017/1")
        == "ACR TI-RADS 2017, by risk (SERA rule 1)"
    )
    assert sentences.rule(SAY, "house-rule") == "house-rule"


def test_a_threshold_says_whether_it_has_to_be_exceeded():
    names = {
        sentences.threshold(SAY, alternative)
        for alternative in alternatives(0.42, 14.5)
    }
    assert names == {"> 10 mm", "≥ 10 mm"}
    assert sentences.threshold(SAY, recommend(0.001, 14.5)) == "none"


def test_the_scale_names_the_risk_at_the_cutoff():
    assert "changes at 19 %" in sentences.scale_sentence(SAY, result(cutoff_risk=0.19))


def test_a_case_without_a_size_gets_no_advice_with_the_reason():
    assert sentences.advice(SAY, None) == "FNA: no advice"
    assert "No size was given" in sentences.advice_sentence(SAY, None)
    assert sentences.by_risk(None) == ()


def _said(language: Language, start: str) -> set[str]:
    every = TRANSLATIONS[language].keys()
    return {key.removeprefix(start) for key in every if key.startswith(start)}


@pytest.mark.parametrize("language", Language)
def test_every_term_of_the_lexicon_has_a_text(language):
    names = {
        f"{name}.{term}"
        for name, terms in {**TERMS_BY_FIELD, "foci": Focus}.items()
        for term in (*terms, "title")
    }
    assert sorted(names - _said(language, "lexicon.")) == []


def test_descriptors_are_put_into_words_including_absent_foci():
    fields = {
        **DESCRIPTORS_EXAMPLE,
        "composition": "mixed",
        "foci": [],
        "eccentric": True,
    }
    told = dict(sentences.described(SAY, fields))
    assert (
        told["Composition"]
        == "Mixed cystic and solid. The solid part lies to one side (eccentric)"
    )
    assert (told["Shape"], told["Echogenic foci"]) == ("Wider than tall", "None")


def test_guidelines_by_risk_and_by_descriptors_are_side_by_side():
    fna = advise(0.42, 14.5, "risk-band/K-TIRADS-2021/1")
    second_rows = [
        assess(parse_descriptors(DESCRIPTORS_EXAMPLE), 14.5, name)
        for name in ("ACR-2017", "ATA-2015")
    ]
    rows = sentences.side_by_side(SAY, fna, second_rows)
    assert [name for name, _, _ in rows] == [
        "K-TIRADS 2021",
        "ACR TI-RADS 2017",
        "K-TIRADS 2016",
        "ATA 2015",
    ]
    assert rows[1][1:] == (
        next(advice for advice in fna.alternatives if "ACR" in advice.rule),
        second_rows[0],
    )
    assert (rows[0][2], rows[3][1]) == (None, None)


@pytest.mark.parametrize(
    "name",
    sorted(
        {level.name for guideline in GUIDELINES.values() for level in guideline.levels}
    ),
)
def test_an_english_level_has_the_name_of_its_guideline(name):
    assert sentences.level(SAY, name) == name


def test_a_level_in_words_is_translated_into_korean():
    rows = [
        sentences.level(translator(Language.KOREAN), name)
        for name in ("high suspicion", "TR5", None)
    ]
    assert rows == ["높은 의심", "TR5", "–"]
