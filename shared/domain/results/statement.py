"""What a result says to its reader. Every screen and file shows this and derives nothing itself.

The suspicion level and the FNA advice of the hospital's guideline lead. They follow from the risk
and the size alone. The model's cut-off never changes them: which side of it the score is on is a
second fact. A referred case has no answer: neither level, advice, risk nor side is stated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.results.fna import FnaOutcome
from shared.domain.results.prediction import Verdict
from shared.domain.results.result import Result

SYNTHETIC_MODEL = "synthetic-model"
GATE_OVERRULED = "gate-overruled"
FEW_TRAINING_IMAGES = "few-training-images"
TEST_APART = "test-apart"
MODEL_CAUTIONS = (SYNTHETIC_MODEL, GATE_OVERRULED, TEST_APART, FEW_TRAINING_IMAGES)
"""Codes of warnings about the model itself, the most serious first."""
REFERRAL_CODES = ("foreign-image", "out-of-distribution", "uncertain")
"""Codes of warnings that say why a case is referred."""
HIGHEST_LEVELS = frozenset({"TR5", "K-TIRADS 5"})
"""The level of the highest band of each rule in `shared.guidelines.RULES`."""


class CutoffSide(StrEnum):
    """The side of the model's cut-off on which a score is. The cut-off itself is above."""

    ABOVE = "above"
    BELOW = "below"


class Contrast(StrEnum):
    """How level and advice seem to contradict the side of the cut-off."""

    FNA_BELOW_CUTOFF = "fna-below-cutoff"
    LEVEL_BELOW_CUTOFF = "level-below-cutoff"
    """The highest level without FNA, below the cut-off."""
    NO_FNA_ABOVE_CUTOFF = "no-fna-above-cutoff"


class Tone(StrEnum):
    """How a statement is coloured. No statement is coloured as good news."""

    ALERT = "bad"
    CAUTION = "warn"
    NEUTRAL = "neutral"


SIDES = {Verdict.MALIGNANT: CutoffSide.ABOVE, Verdict.BENIGN: CutoffSide.BELOW}
TONES = {FnaOutcome.DUE: Tone.ALERT, FnaOutcome.NOT_DUE: Tone.NEUTRAL}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a result says."""

    answered: bool
    """False: the case is referred. Then there is no level, advice, risk or side."""
    level: str | None
    """The suspicion level of the hospital's guideline, e.g. `TR5`; null without a size."""
    fna: FnaOutcome | None
    """The FNA advice; `undecided` without a size; null if the case is referred."""
    risk: float | None
    """The risk of malignancy, 0 to 1; null if the case is referred."""
    risk_interval: tuple[float, float] | None
    """The lowest and highest value of the risk, 0 to 1; null if the case is referred, or without an
    interval.
    """
    side: CutoffSide | None
    """The side of the model's cut-off on which the score is; null if the case is referred."""
    contrast: Contrast | None
    """How level and advice seem to contradict the side; null if they do not."""
    tone: Tone
    """How it is coloured: `bad` if FNA is due, `warn` if somebody has to decide, else `neutral`."""
    reasons: tuple[str, ...]
    """Codes of the warnings that say why the case is referred; empty if it is not."""
    cautions: tuple[str, ...]
    """Codes of the warnings about the model, the most serious first."""


@dataclass(frozen=True, kw_only=True)
class StatementFacts:
    """The parts of a result on which its statement depends.

    `level` and `fna` are None if the case has no size. `warnings` are codes.
    """

    decision: Verdict
    risk: float
    level: str | None
    fna: FnaOutcome | None
    warnings: Iterable[str]
    risk_interval: tuple[float, float] | None = None


def statement_of(result: Result) -> Statement:
    """The statement of a result."""
    return make_statement(
        StatementFacts(
            decision=result.decision,
            risk=result.risk,
            level=result.fna.level if result.fna else None,
            fna=result.fna.outcome if result.fna else None,
            warnings=[warning.code for warning in result.warnings],
            risk_interval=result.risk_interval,
        )
    )


def make_statement(facts: StatementFacts) -> Statement:
    """The statement that follows from the parts of a result."""
    codes = frozenset(facts.warnings)
    cautions = tuple(code for code in MODEL_CAUTIONS if code in codes)
    side = SIDES.get(facts.decision)
    if side is None:
        return Statement(
            answered=False,
            level=None,
            fna=None,
            risk=None,
            risk_interval=None,
            side=None,
            contrast=None,
            tone=Tone.CAUTION,
            reasons=tuple(code for code in REFERRAL_CODES if code in codes),
            cautions=cautions,
        )
    fna = facts.fna or FnaOutcome.UNDECIDED
    return Statement(
        answered=True,
        level=facts.level,
        fna=fna,
        risk=facts.risk,
        risk_interval=facts.risk_interval,
        side=side,
        contrast=_contrast(side, facts.level, fna),
        tone=TONES.get(fna, Tone.CAUTION),
        reasons=(),
        cautions=cautions,
    )


def _contrast(side: CutoffSide, level: str | None, fna: FnaOutcome) -> Contrast | None:
    if side is CutoffSide.ABOVE:
        return Contrast.NO_FNA_ABOVE_CUTOFF if fna is FnaOutcome.NOT_DUE else None
    if fna in (FnaOutcome.DUE, FnaOutcome.CONSIDER):
        return Contrast.FNA_BELOW_CUTOFF
    return Contrast.LEVEL_BELOW_CUTOFF if level in HIGHEST_LEVELS else None
