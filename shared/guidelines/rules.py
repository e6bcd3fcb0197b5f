"""FNA advice from a risk or from descriptors. The rest of SERA calls these functions."""

from shared.domain.results.fna import FnaAdvice
from shared.guidelines.acr import ACR_2017
from shared.guidelines.advice import advise, undecided
from shared.guidelines.ata import ATA_2015
from shared.guidelines.bands import DEFAULT_RULE, RULES
from shared.guidelines.counts import KIM_2002, KWAK_2011
from shared.guidelines.errors import RiskInvalid, RuleUnknown
from shared.guidelines.eutirads import EU_TIRADS_2017
from shared.guidelines.guideline import Guideline, Scope
from shared.guidelines.ktirads import K_TIRADS_2016, K_TIRADS_2021
from shared.guidelines.lexicon import Descriptors

_GUIDELINES = (
    ACR_2017,
    K_TIRADS_2021,
    K_TIRADS_2016,
    ATA_2015,
    EU_TIRADS_2017,
    KIM_2002,
    KWAK_2011,
)
GUIDELINES: dict[str, Guideline] = {
    guideline.name: guideline for guideline in _GUIDELINES
}


def recommend(risk: float, size_mm: float, rule: str = DEFAULT_RULE) -> FnaAdvice:
    """Advice from a calibrated risk, by one of SERA's own rules.

    Parameters
    ----------
    risk : probability of malignancy, 0 to 1
    size_mm : largest diameter of the nodule
    rule : a name from `RULES`

    Raises
    ------
    RiskInvalid, SizeInvalid, RuleUnknown
    """
    if not 0 <= risk <= 1:
        raise RiskInvalid(risk=risk)
    if rule not in RULES:
        raise RuleUnknown(rule=rule, known=", ".join(RULES))
    risk_band_rule = RULES[rule]
    return advise(
        risk_band_rule.level(risk),
        size_mm,
        rule=rule,
        source=risk_band_rule.guideline.source,
        risk=risk,
    )


def alternatives(
    risk: float, size_mm: float, excluded_rule: str = DEFAULT_RULE
) -> tuple[FnaAdvice, ...]:
    """The advice of all other rules for the same nodule."""
    return tuple(
        recommend(risk, size_mm, rule) for rule in RULES if rule != excluded_rule
    )


def assess(
    nodule: Descriptors, size_mm: float, guideline: str = ACR_2017.name
) -> FnaAdvice:
    """Advice from descriptors, by the guideline itself.

    Parameters
    ----------
    nodule : its descriptors
    size_mm : largest diameter of the nodule
    guideline : a name from `GUIDELINES`

    Raises
    ------
    SizeInvalid, RuleUnknown
    """
    if guideline not in GUIDELINES:
        raise RuleUnknown(rule=guideline, known=", ".join(GUIDELINES))
    definition = GUIDELINES[guideline]
    rule = definition.name
    level = definition.classify(nodule)
    if level is None:
        reason = (
            f"No advice: {rule} has no category for this nodule. "
            "Decide by another guideline."
        )
        return undecided(reason, size_mm, rule=rule, source=definition.source)
    if definition.scope is Scope.RISK_ONLY:
        reason = (
            f"No advice: {rule} grades the risk (category {level.name}) "
            "and sets no size for FNA."
        )
        return undecided(
            reason, size_mm, rule=rule, source=definition.source, level=level.name
        )
    return advise(level, size_mm, rule=rule, source=definition.source)
