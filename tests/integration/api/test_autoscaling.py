"""What Kubernetes' autoscalers ask the gateway for, against what a gateway answers."""

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.domain.training.states import Split, StepKind
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.training.steps import NewStep
from tests.support.builders import form, png
from tests.support.kubernetes import by_name, lying_there, walk


@pytest.fixture
def scrape(gateway):
    """The figures as KEDA sees them, without any key, by how a trigger names them."""

    def read() -> dict[str, list[float]]:
        figures: dict[str, list[float]] = {}
        for family in text_string_to_metric_families(gateway.get("/metrics").text):
            for sample in family.samples:
                labels = ",".join(
                    f'{name}="{value}"' for name, value in sample.labels.items()
                )
                figures.setdefault(
                    f"{sample.name}{{{labels}}}" if labels else sample.name, []
                ).append(sample.value)
        return figures

    return read


def test_each_trigger_finds_one_figure(scrape):
    figures = scrape()
    rows = [
        item
        for scaled_object in by_name(lying_there(), "ScaledObject").values()
        for item in walk(scaled_object, "valueLocation")
    ]
    assert len(rows) == 3
    assert [figures.get(row) for row in rows] == [[0.0]] * 3


def test_waiting_cases_and_open_steps_are_counted_from_the_ledger(
    scrape, as_role, ledger
):
    for seed in range(3):
        assert as_role().post("/v1/cases", **form(png(seed))).status_code == 202
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("set")
        session.datasets.add(dataset, [LabelledImage("a" * 64, True, Split.TRAIN)])
        session.runs.request(dataset, session.versions.freeze(dataset).id, "light", 0)
        plan = session.steps.claim("me", timedelta(minutes=5), 3)
        left = NewStep("left", StepKind.FEATURES)
        right = NewStep("right", StepKind.FEATURES)
        session.steps.finish(
            plan.token,
            {},
            (
                left,
                right,
                NewStep("both", StepKind.TABLE, prerequisites=("left", "right")),
            ),
        )
        session.steps.claim("me", timedelta(minutes=5), 3)
    figures = scrape()
    assert figures['sera_jobs{state="queued"}'] == [3.0]
    assert figures["sera_oldest_queued_seconds"][0] > 0
    assert figures["sera_open_training_steps"] == [2.0], (
        "one that is done, one that could be; the third must wait"
    )
