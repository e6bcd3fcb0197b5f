import json
from dataclasses import fields

import pytest

from services.api.training.schemas import StepView
from shared.domain.models import GateVerdict
from shared.domain.training.states import StepKind, StepState
from shared.domain.training.steps import (
    ARGUMENTS,
    OUTCOMES,
    BundleArguments,
    BundleOutcome,
    EvaluationArguments,
    EvaluationOutcome,
    FeaturesArguments,
    FeaturesOutcome,
    FitArguments,
    FitOutcome,
    FoldArguments,
    FoldOutcome,
    GateArguments,
    GateOutcome,
    NetworkArguments,
    NetworkOutcome,
    OutlineArguments,
    OutlineOutcome,
    PlanArguments,
    PlanOutcome,
    TableArguments,
    TableOutcome,
    TuningArguments,
    TuningOutcome,
    arguments_from_json,
    outcome_from_json,
)

ARGUMENTS_OF_EACH_KIND = {
    StepKind.PLAN: PlanArguments(),
    StepKind.NETWORK: NetworkArguments(images=40, feature_set=1),
    StepKind.OUTLINE: OutlineArguments(images=156, fold=1),
    StepKind.FEATURES: FeaturesArguments(images=28, feature_set=0, start=128, end=156),
    StepKind.TABLE: TableArguments(images=156),
    StepKind.TUNING: TuningArguments(images=156, tuning=0, fold=None),
    StepKind.FOLD: FoldArguments(images=156, fold=3),
    StepKind.FIT: FitArguments(images=156, reading=2),
    StepKind.BUNDLE: BundleArguments(images=156),
    StepKind.EVALUATION: EvaluationArguments(images=30),
    StepKind.GATE: GateArguments(images=30),
}
OUTCOME_OF_EACH_KIND = {
    StepKind.PLAN: PlanOutcome(steps=9),
    StepKind.NETWORK: NetworkOutcome(),
    StepKind.OUTLINE: OutlineOutcome(fold=1),
    StepKind.FEATURES: FeaturesOutcome(
        computed=5, images=28, skipped=(("a" * 64, "image-blank"),)
    ),
    StepKind.TABLE: TableOutcome(key="table/1", images=27, skipped=1, folds=5),
    StepKind.TUNING: TuningOutcome(rate=0.001, decay=0.0, epochs=12),
    StepKind.FOLD: FoldOutcome(fold=3),
    StepKind.FIT: FitOutcome(),
    StepKind.BUNDLE: BundleOutcome(
        digest="d" * 64,
        auc=0.9,
        auc_low=0.8,
        auc_high=0.95,
        sensitivity=0.9,
        specificity=0.7,
    ),
    StepKind.EVALUATION: EvaluationOutcome(images=30),
    StepKind.GATE: GateOutcome(verdict=GateVerdict.PASSED, against=None, left_out=2),
}


@pytest.mark.parametrize("kind", StepKind)
def test_arguments_come_back_from_json_as_they_were(kind):
    arguments = ARGUMENTS_OF_EACH_KIND[kind]
    assert arguments.kind is kind
    assert ARGUMENTS[kind] is type(arguments)
    assert (
        arguments_from_json(kind, json.loads(json.dumps(arguments.to_json())))
        == arguments
    )


@pytest.mark.parametrize("kind", StepKind)
def test_an_outcome_comes_back_from_json_as_it_was(kind):
    outcome = OUTCOME_OF_EACH_KIND[kind]
    assert outcome_from_json(kind, json.loads(json.dumps(outcome.to_json()))) == outcome


def test_a_planning_step_that_was_asked_for_without_arguments_has_none():
    assert arguments_from_json(StepKind.PLAN, {}) == PlanArguments(images=0)


def test_arguments_of_another_kind_are_refused():
    with pytest.raises(TypeError):
        arguments_from_json(
            StepKind.FOLD, ARGUMENTS_OF_EACH_KIND[StepKind.FIT].to_json()
        )


@pytest.mark.parametrize("kind", StepKind)
def test_the_gateway_sends_an_outcome_as_its_own_kind(kind):
    outcome = OUTCOME_OF_EACH_KIND[kind]
    view = StepView(
        name=kind,
        kind=kind,
        state=StepState.DONE,
        fraction=1.0,
        attempts=1,
        owner=None,
        seconds=1.0,
        message=None,
        message_code=None,
        facts=None,
        outcome=outcome,
    )
    sent = json.loads(view.model_dump_json())["outcome"]
    assert sent == json.loads(json.dumps(outcome.to_json()))


def test_the_schema_describes_every_field_of_every_outcome():
    definitions = StepView.model_json_schema(mode="serialization")["$defs"]
    for kind in OUTCOMES.values():
        properties = definitions[kind.__name__].get("properties", {})
        assert list(properties) == [field.name for field in fields(kind)]
        assert all(facts.get("description") for facts in properties.values())
