"""No screen and no file contradicts itself, whatever decision, level, advice and model."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from markupsafe import Markup

from services.api.locales import Language
from services.api.reports import sentences
from services.api.reports.sentences import risk_percent
from services.api.web import page as page_module
from services.api.web.languages import TRANSLATIONS
from services.api.worklist.export import COLUMNS, csv_cells
from shared.domain.results.fna import FnaOutcome
from shared.domain.results.result import Result
from shared.domain.results.statement import CutoffSide, statement_of
from tests.support.statements import (
    all_results,
    case_page,
    copied_text,
    entry,
    report_text,
    row_json,
    study_answer,
    visible_text,
    worklist_page,
)

RESULTS = tuple(all_results())
ANSWERED = tuple(answer for answer in RESULTS if statement_of(answer).answered)
REFERRED = tuple(answer for answer in RESULTS if not statement_of(answer).answered)
WEB = Path(page_module.__file__).parent
SCREENS: dict[str, Callable[[Result, Language], str]] = {
    "case": case_page,
    "worklist": worklist_page,
    "study": study_answer,
    "report": report_text,
    "copied": copied_text,
}
LEADS = {
    "case": r'id="decision">(.*?)</div>',
    "worklist": r'(<span class="badge (?:bad|warn|neutral).*?</p>)',
    "study": r'(<p class="sum">.*?</p>)',
    "report": r"(?:SERA's answer|SERA의 답변)\n([^\n]*\n)",
    "copied": r"((?:Suspicion level|의심 단계|Risk of|악성 위험도).*\n(?:Recommendation|권고): [^\n]*\n)",
}
"""What leads on a screen: its first sight."""
TEXTS = ("report", "copied")
"""Screens without colours."""
BENIGN = {Language.ENGLISH: "benign", Language.KOREAN: "양성"}
SAY = TRANSLATIONS[Language.ENGLISH]
EVERY_SCREEN = pytest.mark.parametrize(
    ("screen", "language"), list(product(SCREENS, Language))
)


def shown(screen: str, answer: Result, language: Language) -> str:
    """The visible text of a screen without its remarks."""
    text = visible_text(SCREENS[screen](answer, language))
    for warning in answer.warnings:
        text = text.replace(sentences.warning(TRANSLATIONS[language], warning), "")
    return text


def lead(screen: str, answer: Result, language: Language) -> str:
    found = re.search(LEADS[screen], SCREENS[screen](answer, language), re.DOTALL)
    assert found
    return visible_text(found[1])


def common_words(language: Language, kind: str, names: Iterable[str]) -> dict[str, str]:
    return {name: TRANSLATIONS[language](f"common.{kind}.{name}") for name in names}


@EVERY_SCREEN
def test_level_and_advice_lead_and_no_other_advice_stands_beside_them(screen, language):
    advice = common_words(language, "fna", FnaOutcome)
    for answer in ANSWERED:
        statement = statement_of(answer)
        text = lead(screen, answer, language)
        assert (statement.level or "") in text
        assert [name for name, words in advice.items() if words in text] == [
            statement.fna
        ]


@EVERY_SCREEN
def test_no_screen_calls_a_nodule_benign_or_shows_good_news(screen, language):
    for answer in RESULTS:
        assert BENIGN[language] not in shown(screen, answer, language).lower()
        html = SCREENS[screen](answer, language)
        badges = re.findall(r'class="(?:badge|decision) (\w+)', html)
        assert set(badges) - {"good"} == {statement_of(answer).tone} or screen in TEXTS
        assert "good" not in badges or screen == "worklist"


@EVERY_SCREEN
def test_the_risk_stands_beside_its_side_of_the_cut_off(screen, language):
    say = TRANSLATIONS[language]
    for answer in ANSWERED:
        statement = statement_of(answer)
        text = shown(screen, answer, language)
        assert risk_percent(answer.risk) in text
        kind = "common" if screen == "worklist" else "result"
        sides = {side: say(f"{kind}.side.{side}") for side in CutoffSide}
        assert [side for side, words in sides.items() if words in text] == [
            statement.side
        ]


@EVERY_SCREEN
def test_the_interval_stands_wherever_the_risk_does(screen, language):
    say = TRANSLATIONS[language]
    for answer in RESULTS:
        text = shown(screen, answer, language)
        words = sentences.interval(say, answer.risk_interval)
        assert (words in text) is statement_of(answer).answered


@EVERY_SCREEN
def test_a_result_without_an_interval_shows_none(screen, language):
    for answer in ANSWERED:
        older = replace(answer, risk_interval=None, risk_guarantee=None)
        text = shown(screen, older, language)
        assert risk_percent(answer.risk) in text
        words = sentences.interval(TRANSLATIONS[language], answer.risk_interval)
        assert words not in text
        assert "Venn-Abers" not in text


@pytest.mark.parametrize("screen", ["case", "report"])
@pytest.mark.parametrize("language", Language)
def test_what_the_interval_guarantees_stands_beside_it(screen, language):
    say = TRANSLATIONS[language]
    for answer in ANSWERED:
        words = sentences.interval_sentence(say, answer)
        assert words in shown(screen, answer, language)


@EVERY_SCREEN
def test_a_referred_case_states_no_level_advice_risk_or_side(screen, language):
    say = TRANSLATIONS[language]
    for answer in REFERRED:
        text = shown(screen, answer, language)
        forbidden = [
            *common_words(language, "fna", FnaOutcome).values(),
            *common_words(language, "side", CutoffSide).values(),
            *(say(f"result.side.{side}") for side in CutoffSide),
            risk_percent(answer.risk),
            answer.fna.level if answer.fna else risk_percent(answer.cutoff_risk),
        ]
        assert [words for words in forbidden if words in text] == []
        key = (
            "worklist.no_answer"
            if screen == "worklist"
            else "result.statement.no-answer"
        )
        assert say(key) in text


@EVERY_SCREEN
def test_each_remark_about_the_model_is_on_every_screen(screen, language):
    say = TRANSLATIONS[language]
    for answer in RESULTS:
        text = visible_text(SCREENS[screen](answer, language))
        codes = {warning.code for warning in answer.warnings}
        assert codes == set(statement_of(answer).cautions)
        for warning in answer.warnings:
            words = sentences.warning(say, warning)
            if screen == "worklist":
                words = say(f"common.caution.{warning.code}")
            assert words in text
        for code in ("synthetic-model", "gate-overruled"):
            if code not in codes:
                assert say(f"result.warning.{code}") not in text


@pytest.mark.parametrize("screen", ["case", "study", "report"])
@pytest.mark.parametrize("language", Language)
def test_one_sentence_says_why_where_band_and_cut_off_disagree(screen, language):
    say = TRANSLATIONS[language]
    contrasts = set()
    for answer in RESULTS:
        statement = statement_of(answer)
        why = sentences.contrast_sentence(say, statement, answer)
        text = shown(screen, answer, language)
        assert bool(why) is (statement.contrast is not None)
        assert why in text
        contrasts.add(statement.contrast)
    assert len(contrasts) == 4


@pytest.mark.parametrize("screen", ["case", "study", "report"])
@pytest.mark.parametrize("language", Language)
def test_a_prevalence_that_the_hospital_has_not_set_is_called_an_assumption(
    screen, language
):
    for answer in ANSWERED:
        text = shown(screen, answer, language)
        assert sentences.prevalence_sentence(TRANSLATIONS[language], answer) in text


def test_the_withheld_figures_of_a_referred_case_are_folded_away_on_its_page():
    for answer in REFERRED:
        page = case_page(answer, Language.ENGLISH)
        (withheld,) = re.findall(
            r'<details id="withheld".*?</details>', page, re.DOTALL
        )
        assert "open" not in withheld[: withheld.index(">")]
        assert risk_percent(answer.risk) in Markup(withheld).unescape()
        elsewhere = Markup(page.replace(withheld, "")).unescape()
        figures = [sentences.interval(SAY, answer.risk_interval)]
        if answer.fna:
            figures.append(sentences.advice_sentence(SAY, answer.fna))
        assert [figure for figure in figures if figure in elsewhere] == []
    for answer in ANSWERED:
        assert 'id="withheld"' not in case_page(answer, Language.ENGLISH)


def test_the_csv_and_the_rows_of_the_api_say_the_same():
    for answer in RESULTS:
        statement = statement_of(answer)
        row = dict(zip(COLUMNS, csv_cells(entry(answer)), strict=True))
        body = row_json(answer)
        assert body["decision"] == answer.decision
        assert body["statement"]["cautions"] == list(statement.cautions)
        assert row["model_cautions"].split() == list(statement.cautions)
        stated = ("level", "fna", "fna_advice", "risk", "risk_low", "risk_high")
        if statement.answered:
            assert row["decision"] == statement.side
            assert row["fna"] == str(statement.fna is FnaOutcome.DUE).lower()
            assert (row["level"], row["fna_advice"]) == (
                statement.level or "",
                statement.fna,
            )
            assert (float(row["risk"]), body["risk"]) == (answer.risk, answer.risk)
            ends = (float(row["risk_low"]), float(row["risk_high"]))
            assert ends == tuple(body["risk_interval"]) == answer.risk_interval
        else:
            assert row["decision"] == "refer"
            assert [row[name] for name in stated] == [""] * len(stated)
            fields = ("risk", "risk_interval", "fna")
            assert [body[name] for name in fields] == [None, None, None]


@pytest.mark.parametrize(
    "file",
    sorted([*WEB.glob("templates/*.html"), *WEB.glob("static/*.js")]),
    ids=lambda path: path.name,
)
def test_no_screen_derives_an_answer_of_its_own(file):
    """Screens read the statement; a decision or a stored advice is none."""
    text = file.read_text()
    found = re.findall(
        r"\b(?:line|result|job\.result|case)\.(?:decision|fna\b(?! ?[),]))", text
    )
    assert [match for match in found if not match.endswith(".fna")] == []
