"""FNA rules: tables and one evaluator. `recommend` goes from a risk, `assess` from the lexicon's descriptors."""

from shared.guidelines.bands import DEFAULT_RULE, RULES
from shared.guidelines.described import CHOICES, EXAMPLE, describe, to_json
from shared.guidelines.errors import (
    DescriptorsUnreadable,
    DescriptorUnusable,
    RiskInvalid,
    RuleUnknown,
    SizeInvalid,
)
from shared.guidelines.lexicon import (
    Composition,
    Descriptors,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
)
from shared.guidelines.rules import GUIDELINES, alternatives, assess, recommend

__all__ = [
    "CHOICES",
    "DEFAULT_RULE",
    "EXAMPLE",
    "GUIDELINES",
    "RULES",
    "Composition",
    "DescriptorUnusable",
    "Descriptors",
    "DescriptorsUnreadable",
    "Echogenicity",
    "Focus",
    "Margin",
    "Orientation",
    "RiskInvalid",
    "RuleUnknown",
    "SizeInvalid",
    "alternatives",
    "assess",
    "describe",
    "recommend",
    "to_json",
]
