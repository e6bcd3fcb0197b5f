from dataclasses import replace

import pytest

from cli.output.results import (
    COLUMNS,
    GUARANTEE,
    NO_ANSWER_SENTENCE,
    answer_sentences,
    descriptor_sentences,
    model_notes,
    result_row,
    result_sentences,
    threshold,
)
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaOutcome
from shared.domain.results.statement import statement_of
from shared.guidelines import recommend
from tests.support.builders import result
from tests.support.statements import all_results

FNA = recommend(0.42, 14.5)
RESULT = result(
    score=0.7123,
    risk=0.42,
    fna=FNA,
    warnings=(
        Finding("roi-absent", "No ROI was given."),
        Finding("caliper-marks", "The image carries caliper marks."),
    ),
)
DONE = {"state": "done", "reason": None, "message": None, "result": RESULT.to_json()}
FAILED = {
    "state": "failed",
    "reason": "image-unreadable",
    "message": "The PNG is cut short.",
    "result": None,
}


def test_a_line_of_the_table_leaves_out_the_remarks_that_all_have() -> None:
    cells = result_row("a.png", 14.5, DONE)
    assert cells == (
        "a.png",
        "14.5 mm",
        "TR5",
        "yes",
        ">= 10 mm",
        "42% (31-56)",
        "above",
        "caliper-marks",
    )
    assert len(cells) == len(COLUMNS)


def test_a_failed_case_keeps_its_line_and_shows_its_reason() -> None:
    cells = result_row("a.png", 14.5, FAILED)
    assert cells == (
        "a.png",
        "14.5 mm",
        "-",
        "-",
        "-",
        "-",
        "failed",
        "image-unreadable",
    )


@pytest.mark.parametrize(
    ("size_mm", "inclusive", "text"),
    [(10.0, True, ">= 10 mm"), (12.5, False, "> 12.5 mm"), (None, True, "never")],
)
def test_a_threshold_shows_whether_it_is_itself_included(
    size_mm: float | None, inclusive: bool, text: str
) -> None:
    assert threshold(replace(FNA, threshold_mm=size_mm, inclusive=inclusive)) == text


def test_a_result_in_words_has_advice_risk_cut_off_model_and_every_remark() -> None:
    advice, risk, guarantee, cutoff, model, *notes = result_sentences(DONE)
    assert advice == f"TR5. {FNA.text} [risk-band/ACR-2017/1]"
    assert "42% (31-56) where 23% of nodules are malignant (an assumption" in risk
    assert guarantee == GUARANTEE
    assert cutoff == (
        "The score is above the model's cut-off (0.712, cut-off 0.480 by sensitivity>=0.95); "
        "sensitivity 96% (94% to 97%) and specificity 52% (49% to 55%) in cross-validation on the "
        "training images."
    )
    assert model == "Model light/2 (9f2c9f2c9f2c)."
    assert notes == [
        "Note: No ROI was given.",
        "Note: The image carries caliper marks.",
    ]


def test_every_combination_states_level_advice_and_side_and_calls_no_class() -> None:
    for answer in all_results():
        job = DONE | {"result": answer.to_json()}
        statement = statement_of(answer)
        cells = dict(zip(COLUMNS, result_row("a.png", 14.5, job), strict=True))
        text = "\n".join(answer_sentences(answer))
        assert "benign" not in text
        if statement.answered:
            assert cells["level"] == (statement.level or "-")
            assert (cells["FNA"] == "yes") is (statement.fna is FnaOutcome.DUE)
            assert cells["cut-off"] == statement.side
            assert f"{statement.side} the model's cut-off" in text
            assert ("although" in text) is (statement.contrast is not None)
        else:
            assert list(cells.values())[2:7] == ["-", "-", "-", "-", "refer"]
            assert text == NO_ANSWER_SENTENCE
        notes = result_sentences(job)
        assert [note for note in notes if "Note" in note] == [
            f"Note: {warning.message}" for warning in answer.warnings
        ]
        assert model_notes([job, job]) == [
            warning.message for warning in answer.warnings
        ]


def test_the_readers_own_reading_stands_apart_and_only_where_there_is_one() -> None:
    assessment = {
        "points": 7,
        "level": "TR5",
        "advice": [{"rule": "ACR-2017", "text": "FNA recommended."}],
    }
    head, advice = descriptor_sentences(assessment)
    assert "7 points, TR5" in head
    assert advice == "FNA recommended. [ACR-2017]"
    assert descriptor_sentences(None) == []


def test_a_failure_in_words_is_one_sentence_with_its_reason() -> None:
    assert result_sentences(FAILED) == [
        "The case ended as failed: The PNG is cut short."
    ]
    assert result_sentences(FAILED | {"message": None}) == [
        "The case ended as failed: image-unreadable"
    ]
