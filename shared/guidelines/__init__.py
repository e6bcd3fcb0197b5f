"""Rules for fine-needle aspiration (FNA): guidelines as tables, and one evaluator.

`recommend` starts from a risk, `assess` from the descriptors of the lexicon.
"""

from shared.guidelines.bands import DEFAULT_RULE, RULES
from shared.guidelines.descriptors_json import (
    DESCRIPTORS_EXAMPLE,
    TERMS_BY_FIELD,
    descriptors_to_json,
    parse_descriptors,
)
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
    "DEFAULT_RULE",
    "DESCRIPTORS_EXAMPLE",
    "GUIDELINES",
    "RULES",
    "TERMS_BY_FIELD",
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
    "descriptors_to_json",
    "parse_descriptors",
    "recommend",
]
