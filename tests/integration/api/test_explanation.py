from datetime import timedelta

import pytest

from shared.ledger.cases.explanations import ExplanationMap
from tests.support.builders import form, png, result

FAITHFULNESS = {
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
    "faithfulness": FAITHFULNESS,
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
    """The address of the explanation of a finished case."""
    receipt = north.post("/v1/cases", **form()).json()
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.finish(lease.token, "d" * 64, {lease.jobs[0].id: result()})
    return f"/v1/cases/{receipt['case_id']}/explanation"


@pytest.fixture
def make(ledger, gateway):
    def finish_next(reason: str | None = None) -> None:
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

    return finish_next


def test_maps_are_computed_on_request_and_returned_with_their_faithfulness(
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
    assert ensemble["faithfulness"] == body["faithfulness"] == FAITHFULNESS
    assert (
        of_network["label"]
        == "Grad-CAM of the tuned vgg16, layer conv5; not of the whole ensemble"
    )
    assert of_network["strongest"] is None


def test_each_map_has_its_own_heat_image(north, address, make):
    assert north.get(f"{address}/heat.png").status_code == 202
    make()
    layers = [north.get(view["heat"]) for view in north.get(address).json()["maps"]]
    assert [layer.content for layer in layers] == [png(0), png(1)]
    assert {layer.headers["Content-Type"] for layer in layers} == {"image/png"}
    assert north.get(f"{address}/heat.png?map=2").json()["code"] == "not-found"


def test_every_address_of_a_failed_explanation_returns_the_reason(north, address, make):
    north.get(address)
    make(reason="object-missing")
    for failed_address in (address, f"{address}/heat.png", f"{address}.png"):
        assert north.get(failed_address).json()["code"] == "explanation-failed"
