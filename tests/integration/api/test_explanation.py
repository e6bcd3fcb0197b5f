from datetime import timedelta

import pytest

from shared.ledger.cases.explanations import ExplanationMap
from tests.support.builders import form, png, result

TESTED = {
    "hidden": [0, 1],
    "ordered": [0.9, 0.2],
    "random": [0.9, 0.2],
    "orders": 3,
    "area": 0.125,
}
FACTS = {
    "layer": None,
    "strongest": 0.31,
    "box": [12, 24, 96, 72],
    "grid": [8, 8],
    "faithfulness": TESTED,
}
MAPS = (
    FACTS | {"kind": "occlusion", "of": "ensemble"},
    FACTS
    | {
        "kind": "grad-cam",
        "of": "vgg16",
        "layer": "conv5",
        "strongest": None,
        "grid": [14, 14],
    },
)


@pytest.fixture
def address(north, ledger) -> str:
    """Of the explanation of a case that is done."""
    receipt = north.post("/v1/cases", **form()).json()
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.finish(lease.token, "d" * 64, {lease.jobs[0].id: result()})
    return f"/v1/cases/{receipt['case_id']}/explanation"


@pytest.fixture
def make(ledger, gateway):
    def computed(reason: str | None = None) -> None:
        objects = gateway.app.state.dependencies.objects
        layers = [
            ExplanationMap(objects.put(png(number)).sha256, facts)
            for number, facts in enumerate(MAPS)
        ]
        with ledger.system_session("w") as session:
            session.explanation_queue.finish(
                session.explanation_queue.claim_next(),
                layers[0].heat_sha256,
                reason,
                layers,
            )

    return computed


def test_maps_are_made_when_asked_for_and_then_told_with_how_faithful_they_are(
    north, address, make
):
    waiting = north.get(address)
    assert (waiting.status_code, waiting.headers["Retry-After"], waiting.content) == (
        202,
        "2",
        b"",
    )
    make()
    body = north.get(address).json()
    assert body["state"] == "made"
    ensemble, of_network = body["maps"]
    assert ensemble["roi"] == {"box": [12, 24, 96, 72]}
    assert (ensemble["strongest"], ensemble["grid"]) == (0.31, [8, 8])
    assert ensemble["faithfulness"] == body["faithfulness"] == TESTED
    assert (
        of_network["label"]
        == "Grad-CAM of the tuned vgg16, layer conv5; not of the whole ensemble"
    )
    assert of_network["strongest"] is None


def test_each_map_has_a_layer_of_its_own(north, address, make):
    assert north.get(f"{address}/heat.png").status_code == 202
    make()
    layers = [north.get(view["heat"]) for view in north.get(address).json()["maps"]]
    assert [layer.content for layer in layers] == [png(0), png(1)]
    assert {item.headers["Content-Type"] for item in layers} == {"image/png"}
    assert north.get(f"{address}/heat.png?map=2").json()["code"] == "not-found"


def test_an_explanation_that_failed_says_why_by_every_address(north, address, make):
    north.get(address)
    make(reason="object-missing")
    for item in (address, f"{address}/heat.png", f"{address}.png"):
        assert north.get(item).json()["code"] == "explanation-failed"
