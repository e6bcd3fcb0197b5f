import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from shared import recipes
from shared.domain.messages import Message
from shared.domain.roles import Role
from shared.domain.training.states import Split, StepKind
from shared.domain.training.steps import FoldOutcome, PlanOutcome
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.training.steps import NewStep
from shared.ledger.training.trainers import MissingWeights
from shared.recipes import load_recipe, read_recipe

LEASE = timedelta(minutes=5)
EPOCH = Message("progress-epoch", {"epoch": 2, "epochs": 4})


OUTCOMES = {StepKind.PLAN: PlanOutcome(steps=2), StepKind.FOLD: FoldOutcome(fold=0)}


@pytest.fixture
def operator(as_role, ledger):
    """An operator's client; there is a dataset `set` of one image."""
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("set")
        session.datasets.add(dataset, [LabelledImage("a" * 64, True, Split.TRAIN)])
    return as_role(Role.OPERATOR)


@pytest.fixture
def trainer(ledger):
    """Acts as a trainer on the ledger."""

    class Trainer:
        def claim(self):
            with ledger.system_session("trainer") as session:
                return session.steps.claim("me", LEASE, 3)

        def finish(self, step, adding=()):
            outcome = OUTCOMES[step.kind].to_json()
            with ledger.system_session("trainer") as session:
                session.steps.finish(
                    step.token,
                    outcome,
                    adding,
                    Message("step-done", {"step": step.name}),
                )

        def report(self, step, fraction, **metrics):
            with ledger.system_session("trainer") as session:
                assert session.steps.report_progress(
                    step.token, step.kind, fraction, EPOCH, metrics
                )

        def plan(self, *names):
            step = self.claim()
            self.finish(step, [NewStep(name, StepKind.FOLD) for name in names])

    return Trainer()


def request_run(operator, **extra):
    return operator.post(
        "/v1/training-runs", json={"dataset": "set", "recipe": "light", **extra}
    )


def test_recipes_list_missing_weights_of_each_trainer_and_whether_one_is_ready(
    operator, ledger
):
    def recipe_view(name):
        return next(
            recipe
            for recipe in operator.get("/v1/recipes").json()
            if recipe["name"] == name
        )

    assert (recipe_view("starter")["ready"], recipe_view("starter")["networks"]) == (
        None,
        ["sera_tiny"],
    )
    missing = MissingWeights("vgg16", "vgg16-397923af.pth", "/weights", "")
    with ledger.system_session("trainer") as session:
        session.trainers.report(
            "north",
            {"sera_vgg16": [missing], "light": [replace(missing, url="https://there")]},
        )
    assert recipe_view("sera_vgg16")["lacks"] == [
        {**vars(missing), "url": None, "trainer": "north"}
    ]
    assert [
        recipe_view(name)["ready"] for name in ("starter", "light", "sera_vgg16")
    ] == [
        True,
        True,
        False,
    ]
    with ledger.system_session("trainer") as session:
        session.trainers.report("south", {})
    assert (
        recipe_view("sera_vgg16")["ready"],
        recipe_view("sera_vgg16")["trainers"],
    ) == (True, 2)


@pytest.fixture
def own_recipes(settings, tmp_path):
    """A folder of own recipes with a copy of `light` named `mine` and an invalid file."""
    settings.recipes_dir = tmp_path / "own"
    settings.recipes_dir.mkdir()
    shipped = Path(recipes.__file__).with_name("light.toml").read_text()
    (settings.recipes_dir / "mine.toml").write_text(
        shipped.replace('name = "light"', 'name = "mine"')
    )
    (settings.recipes_dir / "broken.toml").write_text("name = ")
    return settings.recipes_dir


def test_own_recipes_are_listed_and_an_invalid_file_gives_its_reason(
    own_recipes, operator
):
    recipes = {recipe["name"]: recipe for recipe in operator.get("/v1/recipes").json()}
    assert (
        recipes["mine"]["ships"],
        recipes["mine"]["problem"],
        recipes["light"]["ships"],
    ) == (
        False,
        None,
        True,
    )
    assert "broken.toml" in recipes["broken.toml"]["problem"]
    problem = operator.get("/v1/recipes", headers={"Accept-Language": "ko"}).json()[-1][
        "problem"
    ]
    assert "broken.toml 레시피 파일은" in problem
    answer = request_run(operator, recipe="broken")
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe-file-refused")


def test_a_run_keeps_its_recipe_after_the_file_is_removed(
    own_recipes, operator, ledger
):
    run_id = request_run(operator, recipe="mine").json()["run_id"]
    (own_recipes / "mine.toml").unlink()
    with ledger.system_session("test") as session:
        stored_recipe = read_recipe(session.runs.find(UUID(run_id)).recipe_table)
    assert stored_recipe == replace(load_recipe("light"), name="mine")
    assert request_run(operator, recipe="mine").status_code == 404


def test_a_run_freezes_its_dataset_and_an_unchanged_one_keeps_its_version(
    operator, ledger
):
    first = request_run(operator).json()
    second = request_run(operator, folds=6).json()
    assert (first["version"], second["version"], second["folds"]) == (1, 1, 6)
    with ledger.system_session("test") as session:
        dataset = session.datasets.find("set").id
        session.datasets.add(dataset, [LabelledImage("b" * 64, False, Split.TRAIN)])
    assert request_run(operator).json()["version"] == 2
    assert request_run(operator, version=1).json()["version"] == 1
    assert [run["version"] for run in operator.get("/v1/training-runs").json()] == [
        1,
        2,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"version": 9}, 404),
        ({"version": 0}, 422),
        ({"folds": 1}, 422),
        ({"seed": -1}, 422),
        ({"recipe": "x"}, 404),
    ],
)
def test_an_invalid_run_is_refused(operator, body, status):
    answer = request_run(operator, **body)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )


def test_an_empty_dataset_is_not_trained_on(operator):
    operator.post("/v1/datasets", json={"name": "empty"})
    answer = operator.post(
        "/v1/training-runs", json={"dataset": "empty", "recipe": "light"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset-empty")


def test_a_run_shows_its_steps_its_progress_and_the_remaining_time(operator, trainer):
    path = f"/v1/training-runs/{request_run(operator).json()['run_id']}"
    trainer.plan("fold/0", "fold/1")
    trainer.finish(trainer.claim())
    trainer.report(trainer.claim(), 0.5, loss=0.4)
    run = operator.get(path).json()
    assert run["fraction"] == pytest.approx(0.75)
    assert run["eta_s"] >= 0
    assert run["steps"][0]["outcome"] == {"steps": 2}
    assert [(step["name"], step["state"]) for step in run["steps"]] == [
        ("plan", "done"),
        ("fold/0", "done"),
        ("fold/1", "running"),
    ]
    body = operator.get(path + "/log").json()
    assert body[-1]["metrics"] == {"loss": 0.4}
    assert (
        operator.get(path + "/log", params={"after": body[-2]["id"]}).json()
        == body[-1:]
    )


def test_messages_of_a_run_are_in_the_language_of_the_caller(operator, trainer):
    path = f"/v1/training-runs/{request_run(operator).json()['run_id']}"
    trainer.plan("fold/0")
    trainer.report(trainer.claim(), 0.5, loss=0.4)
    korean = {"Accept-Language": "ko"}
    for headers, message in (({}, "epoch 2 of 4"), (korean, "에폭 2/4")):
        run = operator.get(path, headers=headers).json()
        event = operator.get(path + "/log", headers=headers).json()[-1]
        for view in (run, run["steps"][-1], event):
            assert view["message"] == message
            assert (view["message_code"], view["facts"]) == (
                EPOCH.code,
                EPOCH.facts,
            )
    operator.post(path + "/cancel")
    cancelled = operator.get(path, headers=korean).json()
    assert (cancelled["message"], cancelled["reason"]) == (
        "운영자가 취소했습니다.",
        None,
    )


def test_a_stream_contains_the_epochs_and_ends_with_the_run(operator, trainer):
    run_id = request_run(operator).json()["run_id"]
    trainer.plan("fold/0")
    step = trainer.claim()
    trainer.report(step, 0.5, loss=0.4)
    trainer.finish(step)
    events = read_stream(operator, run_id)
    assert [data["step"] for kind, _, data in events if kind == "log"] == [
        "plan",
        "fold/0",
        "fold/0",
    ]
    assert events[-1][0] == "run"
    assert events[-1][2]["state"] == "done"
    (first, *_) = [event_id for kind, event_id, _ in events if kind == "log"]
    resumed_events = read_stream(operator, run_id, {"Last-Event-ID": first})
    assert len([kind for kind, *_ in resumed_events if kind == "log"]) == 2


def test_a_run_is_cancelled_once_and_resumed_once(operator, trainer):
    path = f"/v1/training-runs/{request_run(operator).json()['run_id']}"
    assert operator.post(path + "/resume").json()["code"] == "run-not-resumable"
    assert operator.post(path + "/cancel").json()["state"] == "cancelled"
    assert operator.post(path + "/cancel").json()["code"] == "run-not-cancellable"
    assert trainer.claim() is None
    assert operator.post(path + "/resume").json()["state"] == "queued"
    assert trainer.claim().name == "plan"


@pytest.mark.parametrize("act", ["", "/log", "/events", "/cancel", "/resume"])
def test_an_unknown_run_is_not_found_and_a_hospital_is_refused(operator, north, act):
    for client, status in ((operator, 404), (north, 403)):
        method = client.post if act in ("/cancel", "/resume") else client.get
        assert (
            method(
                f"/v1/training-runs/{'0' * 8}-0000-0000-0000-{'0' * 12}{act}"
            ).status_code
            == status
        )


def read_stream(client, run_id, headers=None):
    """Return (event, id, data) of every event of the stream."""
    text = client.get(f"/v1/training-runs/{run_id}/events", headers=headers or {}).text
    events = []
    for block in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in block.splitlines()
            if ": " in line and not line.startswith(":")
        )
        if "data" in fields:
            events.append(
                (fields["event"], fields.get("id"), json.loads(fields["data"]))
            )
    return events
