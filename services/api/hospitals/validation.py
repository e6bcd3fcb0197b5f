"""Checks a hospital's settings against their limits."""

import math
from collections.abc import Mapping
from typing import Any

from shared.errors import InputError
from shared.guidelines import RULES, RuleUnknown
from shared.settings import Settings

PREVALENCES = (0.01, 0.9)
ALPHAS = (0.01, 0.3)
CASES = (1, 100_000)
WEIGHTS = (0.1, 10)
DAYS = (1, 36_500)


class SettingOutside(InputError):
    code = "setting-outside-limits"
    text = (
        "{name} cannot be {value:g}: it has to lie from {low:g} to {high:g}. Send a value "
        "inside, or null for {null}."
    )


def check(change: Mapping[str, Any], settings: Settings) -> None:
    """Check settings. Raises SettingOutside, RuleUnknown. Null is always allowed, because it means
    the default.
    """
    sensitivities = (
        settings.least_target_sensitivity,
        settings.most_target_sensitivity,
    )
    limits = {
        "prevalence": (PREVALENCES, "the installation's"),
        "target_sensitivity": (sensitivities, "Youden's cut-off"),
        "refer_alpha": (ALPHAS, "no referral of uncertain cases"),
        "rate_per_minute": (CASES, "the installation's"),
        "inflight_quota": (CASES, "the installation's"),
        "weight": (WEIGHTS, "1"),
        "retention_days": (DAYS, "the installation's"),
    }
    for name, ((low, high), null) in limits.items():
        value = change.get(name)
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            raise SettingOutside(name=name, value=value, low=low, high=high, null=null)
    rule = change.get("fna_rule")
    if rule is not None and rule not in RULES:
        raise RuleUnknown(rule=rule, known=", ".join(RULES))
