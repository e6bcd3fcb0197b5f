"""FNA rules: tables and one evaluator. `recommend` goes from a risk, `assess` from the lexicon's descriptors."""

from shared.guidelines.bands import DEFAULT_RULE, RULES
from shared.guidelines.described import TERMS_BY_FIELD, DESCRIPTORS_EXAMPLE, parse_descriptors, descriptors_to_json
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
    "TERMS_BY_FIELD",
    "DEFAULT_RULE",
    "DESCRIPTORS_EXAMPLE",
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
    "parse_descriptors",
    "recommend",
    "descriptors_to_json",
]
