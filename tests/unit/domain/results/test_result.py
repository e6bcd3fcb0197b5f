import json
from dataclasses import fields, is_dataclass, replace
from typing import get_args, get_type_hints

import pytest

from services.api.cases.assessment import ReaderAssessment
from services.api.jobs.schemas import JobView
from services.api.reader_studies.schemas import AidedView
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaAdvice
from shared.domain.results.prediction import Verdict
from shared.domain.results.result import ReadRoi, Result
from shared.domain.results.roi_source import RoiSource
from tests.support.builders import result

PARTS = (
    "Result",
    "FnaAdvice",
    "Conformal",
    "Component",
    "ReadRoi",
    "Finding",
    "ModelReference",
)
WITH_ALL = result(
    roi=ReadRoi(
        box=(1, 2, 30, 40),
        source=RoiSource.CALIPERS,
        polygon=((1.0, 2.0), (30.0, 2.5), (4.0, 41.0)),
    ),
    warnings=(
        Finding(
            "size-differs", "They differ.", {"size_mm": 9.5, "case": "a", "dots": True}
        ),
    ),
)
WITHOUT_OPTIONAL = result(
    fna=None, conformal=None, roi=None, warnings=(), components=()
)


@pytest.mark.parametrize("answer", [result(), WITH_ALL, WITHOUT_OPTIONAL])
def test_a_result_comes_back_from_json_as_it_was(answer):
    assert Result.from_json(answer.to_json()) == answer


@pytest.mark.parametrize("answer", [result(), WITH_ALL, WITHOUT_OPTIONAL])
def test_a_result_as_json_holds_nothing_that_json_lacks(answer):
    body = answer.to_json()
    assert json.loads(json.dumps(body)) == body


def test_a_field_of_a_later_version_is_left_out():
    assert (
        Result.from_json(result().to_json() | {"second_opinion": [0.2, 0.6]})
        == result()
    )


def test_a_result_from_before_intervals_has_none():
    body = result().to_json()
    assert body.pop("risk_interval") == [0.31, 0.56]
    assert body.pop("risk_guarantee") == "venn-abers"
    older = Result.from_json(body)
    assert (older.risk_interval, older.risk_guarantee) == (None, None)


def test_a_result_that_lacks_a_field_is_refused():
    body = result().to_json()
    del body["risk"]
    with pytest.raises(KeyError):
        Result.from_json(body)


def test_a_result_knows_which_warnings_it_carries():
    assert WITH_ALL.warns("size-differs")
    assert not WITH_ALL.warns("roi-absent")


def test_a_set_of_one_class_is_certain_and_no_other():
    conformal = result().conformal
    assert conformal.certain
    for classes in ((), (Verdict.BENIGN, Verdict.MALIGNANT)):
        assert not replace(conformal, set=classes).certain


@pytest.mark.parametrize("view", [JobView, AidedView, ReaderAssessment])
def test_the_schema_describes_every_field(view):
    """The OpenAPI document takes the descriptions from the docstrings of the fields."""
    definitions = view.model_json_schema(mode="serialization")["$defs"]
    described = {name: definitions[name] for name in PARTS if name in definitions}
    assert "FnaAdvice" in described
    for name, schema in described.items():
        for field, facts in schema["properties"].items():
            assert facts.get("description"), f"{name}.{field}"


def test_the_schema_has_the_fields_of_the_type_and_no_others():
    definitions = JobView.model_json_schema(mode="serialization")["$defs"]
    for kind in _dataclasses(Result):
        properties = definitions[kind.__name__]["properties"]
        assert list(properties) == [field.name for field in fields(kind)]


def test_the_gateway_sends_what_to_json_says():
    facts = dict.fromkeys(JobView.model_fields) | {"state": "done", "attempts": 1}
    ids = {"job_id": "7f3f6c1e-6a55-4a33-9d1c-2f6f0f8d2a10"}
    ids["case_id"] = ids["job_id"]
    ids["withheld"] = False
    sent = json.loads(JobView(**facts | ids | {"result": WITH_ALL}).model_dump_json())
    assert sent["result"] == json.loads(json.dumps(WITH_ALL.to_json()))


def _dataclasses(kind: type) -> set[type]:
    """A dataclass and all that its fields are made of."""
    visited = set()
    waiting = [kind]
    while waiting:
        current = waiting.pop()
        if is_dataclass(current) and current not in visited:
            visited.add(current)
            namespace = {"FnaAdvice": FnaAdvice}
            waiting += get_type_hints(current, localns=namespace).values()
        waiting += [part for part in get_args(current) if part not in visited]
    return visited
