import re
from datetime import UTC, datetime

import numpy as np
import pytest

from services.api.languages import Language, korean
from services.api.models.schemas import GateReasonView, GateView
from services.api.web.judged import KEPT, objected, reasons
from shared.domain.models import GateVerdict, Judgement
from shared.ledger.gates import Gate
from shared.statistics.gate import GatePolicy, Readings, weigh

LABELS = np.arange(200) % 2 == 0
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def readings(risks: np.ndarray) -> Readings:
    return Readings(risks, risks, risks >= 0.5, np.zeros(200), 0.5)


GOOD = readings(np.where(LABELS, 0.9, 0.1))
BAD = readings(np.where(LABELS, 0.4, 0.6))
NONE = readings(np.full(200, np.nan))
POLICY = GatePolicy()


def of(judgement: Judgement, **changed) -> GateView:
    told = [GateReasonView(**vars(each)) for each in judgement.reasons]
    facts = {
        "verdict": judgement.verdict,
        "judged_against": None,
        "stale": False,
        "at": NOON,
        "gate_id": 1,
    }
    facts |= {"model": "a" * 64, "version_id": None, "run_id": None, "reasons": told}
    return GateView(**facts | {"figures": judgement.figures, "policy": judgement.policy} | changed)


def weighed(candidate: Readings, live: Readings | None = None, images: int = 200) -> GateView:
    parts = [
        each
        and Readings(
            *(np.asarray(part)[:images] for part in vars(each).values() if np.ndim(part)), 0.5
        )
        for each in (candidate, live)
    ]
    return of(weigh(*parts, LABELS[:images], ["north"] * images, POLICY))


JUDGED = (
    weighed(GOOD, GOOD),
    weighed(BAD, GOOD),
    weighed(GOOD),
    weighed(NONE),
    weighed(GOOD, images=4),
)


@pytest.mark.parametrize("gate", JUDGED)
def test_each_reason_is_told_in_korean_with_the_figures_of_its_judgement(gate):
    for said, kept in zip(reasons(gate, Language.KOREAN), gate.reasons, strict=True):
        assert (said.language, said.weight) == (Language.KOREAN, kept.weight)
        assert re.search("[가-힣]", said.sentence)
        numbers = set(re.findall(r"[+-]?[0-9.]+[0-9]%?", said.sentence))
        assert numbers <= set(re.findall(r"[+-]?[0-9.]+[0-9]%?", kept.sentence))


def test_every_reason_that_has_a_korean_sentence_is_given():
    given = {KEPT + reason.code for gate in JUDGED for reason in gate.reasons}
    assert given >= {code for code in korean() if code.startswith(KEPT)} - {"judged-auc-not-shown"}


@pytest.mark.parametrize("language", Language)
def test_a_judgement_without_figures_keeps_the_english_it_was_made_in(language):
    (said, *_) = reasons(
        of(weigh(BAD, GOOD, LABELS, ["north"] * 200, POLICY), figures={}), language
    )
    assert said.language is Language.ENGLISH


@pytest.mark.parametrize("verdict", [None, *GateVerdict])
def test_why_the_gate_does_not_speak_for_a_model_is_told_in_korean(verdict):
    gate = verdict and Gate(1, "a" * 64, None, None, None, verdict, [], {}, {}, NOON)
    assert objected(gate, "b" * 64, "English.", Language.KOREAN)[1] is Language.KOREAN
    assert objected(gate, "b" * 64, "English.", Language.ENGLISH) == ("English.", Language.ENGLISH)
