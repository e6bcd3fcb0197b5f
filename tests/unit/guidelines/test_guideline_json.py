import json

import pytest

from shared.guidelines import GUIDELINES
from shared.guidelines.guideline_json import (
    guideline_to_json,
    has_points,
    points_by_term,
)


def test_each_term_of_acr_adds_the_points_of_the_chart():
    points = points_by_term(GUIDELINES["ACR-2017"])
    assert points["composition"] == {"mixed": 1, "solid": 2, "calcified": 2}
    assert points["margin"] == {"lobulated": 2, "irregular": 2, "extrathyroidal": 3}
    assert points["foci"] == {"macrocalcification": 1, "rim": 2, "punctate": 3}


@pytest.mark.parametrize("name", GUIDELINES)
def test_every_guideline_becomes_json_with_all_its_rules(name):
    guideline = GUIDELINES[name]
    values = json.loads(json.dumps(guideline_to_json(guideline)))
    assert len(values["rules"]) == len(guideline.level_rules)
    assert {rule["level"] for rule in values["rules"]} == {
        rule.level for rule in guideline.level_rules
    }


def test_only_acr_weighs_its_signs():
    assert [name for name in GUIDELINES if has_points(GUIDELINES[name])] == ["ACR-2017"]
