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
    """Does what a trainer would say to the ledger."""

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

        def say(self, step, fraction, **metrics):
            with ledger.system_session("trainer") as session:
                assert session.steps.report_progress(
                    step.token, step.kind, fraction, EPOCH, metrics
                )

        def plan(self, *names):
            step = self.claim()
            self.finish(step, [NewStep(name, StepKind.FOLD) for name in names])

    return Trainer()


def ask(operator, **extra):
    return operator.post(
        "/v1/training-runs", json={"dataset": "set", "recipe": "light", **extra}
    )


def test_recipes_say_what_each_trainer_lacks_and_whether_one_can_go_on(
    operator, ledger
):
    def recipe_view(name):
        return next(
            item for item in operator.get("/v1/recipes").json() if item["name"] == name
        )

    assert (recipe_view("starter")["ready"], recipe_view("starter")["networks"]) == (
        None,
        ["sera_tiny"],
    )
    lack = MissingWeights("vgg16", "vgg16-397923af.pth", "/weights", "")
    with ledger.system_session("trainer") as session:
        session.trainers.report(
            "north",
            {"sera_vgg16": [lack], "light": [replace(lack, url="https://there")]},
        )
    assert recipe_view("sera_vgg16")["lacks"] == [
        {**vars(lack), "url": None, "trainer": "north"}
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
    """The folder of own recipes, with `mine`, which is `light` under another name, and a file that
    is none."""
    settings.recipes_dir = tmp_path / "own"
    settings.recipes_dir.mkdir()
    shipped = Path(recipes.__file__).with_name("light.toml").read_text()
    (settings.recipes_dir / "mine.toml").write_text(
        shipped.replace('name = "light"', 'name = "mine"')
    )
    (settings.recipes_dir / "broken.toml").write_text("name = ")
    return settings.recipes_dir


def test_own_recipes_are_listed_and_a_file_that_is_none_says_why(own_recipes, operator):
    listed = {item["name"]: item for item in operator.get("/v1/recipes").json()}
    assert (
        listed["mine"]["ships"],
        listed["mine"]["problem"],
        listed["light"]["ships"],
    ) == (
        False,
        None,
        True,
    )
    assert "broken.toml" in listed["broken.toml"]["problem"]
    problem = operator.get("/v1/recipes", headers={"Accept-Language": "ko"}).json()[-1][
        "problem"
    ]
    assert "broken.toml 레시피 파일은" in problem
    answer = ask(operator, recipe="broken")
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe-file-refused")


def test_a_run_keeps_its_recipe_however_the_file_changes(own_recipes, operator, ledger):
    run_id = ask(operator, recipe="mine").json()["run_id"]
    (own_recipes / "mine.toml").unlink()
    with ledger.system_session("test") as session:
        stored_recipe = read_recipe(session.runs.find(UUID(run_id)).recipe_table)
    assert stored_recipe == replace(load_recipe("light"), name="mine")
    assert ask(operator, recipe="mine").status_code == 404


def test_a_run_freezes_its_dataset_and_an_unchanged_one_has_the_version_it_had(
    operator, ledger
):
    first = ask(operator).json()
    second = ask(operator, folds=6).json()
    assert (first["version"], second["version"], second["folds"]) == (1, 1, 6)
    with ledger.system_session("test") as session:
        dataset = session.datasets.find("set").id
        session.datasets.add(dataset, [LabelledImage("b" * 64, False, Split.TRAIN)])
    assert ask(operator).json()["version"] == 2
    assert ask(operator, version=1).json()["version"] == 1
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
def test_a_run_that_cannot_be_asked_for_is_refused_with_the_reason(
    operator, body, status
):
    answer = ask(operator, **body)
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


def test_a_run_tells_its_steps_how_far_it_is_and_when_it_will_be_done(
    operator, trainer
):
    path = f"/v1/training-runs/{ask(operator).json()['run_id']}"
    trainer.plan("fold/0", "fold/1")
    trainer.finish(trainer.claim())
    trainer.say(trainer.claim(), 0.5, loss=0.4)
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


def test_what_a_run_says_is_told_in_the_language_that_the_caller_prefers(
    operator, trainer
):
    path = f"/v1/training-runs/{ask(operator).json()['run_id']}"
    trainer.plan("fold/0")
    trainer.say(trainer.claim(), 0.5, loss=0.4)
    korean = {"Accept-Language": "ko"}
    for headers, message in (({}, "epoch 2 of 4"), (korean, "에폭 2/4")):
        run = operator.get(path, headers=headers).json()
        event = operator.get(path + "/log", headers=headers).json()[-1]
        for recipe_view in (run, run["steps"][-1], event):
            assert recipe_view["message"] == message
            assert (recipe_view["message_code"], recipe_view["facts"]) == (
                EPOCH.code,
                EPOCH.facts,
            )
    operator.post(path + "/cancel")
    cancelled = operator.get(path, headers=korean).json()
    assert (cancelled["message"], cancelled["reason"]) == (
        "운영자가 취소했습니다.",
        None,
    )


def test_a_stream_tells_of_epochs_and_ends_with_the_run(operator, trainer):
    run_id = ask(operator).json()["run_id"]
    trainer.plan("fold/0")
    step = trainer.claim()
    trainer.say(step, 0.5, loss=0.4)
    trainer.finish(step)
    events = notified(operator, run_id)
    assert [data["step"] for kind, _, data in events if kind == "log"] == [
        "plan",
        "fold/0",
        "fold/0",
    ]
    assert events[-1][0] == "run"
    assert events[-1][2]["state"] == "done"
    (first, *_) = [place for kind, place, _ in events if kind == "log"]
    resumed_events = notified(operator, run_id, {"Last-Event-ID": first})
    assert len([kind for kind, *_ in resumed_events if kind == "log"]) == 2


def test_a_run_is_cancelled_and_resumed_and_neither_twice(operator, trainer):
    path = f"/v1/training-runs/{ask(operator).json()['run_id']}"
    assert operator.post(path + "/resume").json()["code"] == "run-not-resumable"
    assert operator.post(path + "/cancel").json()["state"] == "cancelled"
    assert operator.post(path + "/cancel").json()["code"] == "run-not-cancellable"
    assert trainer.claim() is None
    assert operator.post(path + "/resume").json()["state"] == "queued"
    assert trainer.claim().name == "plan"


@pytest.mark.parametrize("act", ["", "/log", "/events", "/cancel", "/resume"])
def test_an_unknown_run_is_not_found_and_a_hospital_has_no_business_here(
    operator, north, act
):
    for client, status in ((operator, 404), (north, 403)):
        method = client.post if act in ("/cancel", "/resume") else client.get
        assert (
            method(
                f"/v1/training-runs/{'0' * 8}-0000-0000-0000-{'0' * 12}{act}"
            ).status_code
            == status
        )


def notified(client, run_id, headers=None):
    """(event, id, data) of the whole stream."""
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
