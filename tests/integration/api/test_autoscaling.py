"""The metrics that the Kubernetes autoscalers query, compared with the gateway's metrics."""

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
    """Reads the metrics as KEDA does, without a key, by the names in triggers."""

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


def test_each_trigger_matches_one_metric(scrape):
    figures = scrape()
    metrics = [
        metric
        for scaled_object in by_name(lying_there(), "ScaledObject").values()
        for metric in walk(scaled_object, "valueLocation")
    ]
    assert len(metrics) == 3
    assert [figures.get(metric) for metric in metrics] == [[0.0]] * 3


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
        "one step is claimed, one is ready; the third must wait"
    )
