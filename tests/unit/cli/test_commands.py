"""What the commands decide by themselves, before or after the gateway is asked."""

import json

import pytest

from cli.commands.models import find_model
from cli.commands.submit import RoiArgumentInvalid, roi_json
from cli.commands.train import run_lines
from cli.connection import ApiProblem
from shared.domain.models import ModelUnknown

RUN = {
    "run_id": "a1b2c3d4",
    "state": "done",
    "steps": [{"kind": "gate", "message": "Validation passed."}],
    "reason": None,
    "message": None,
    "model_digest": "9f2c" * 16,
    "metrics": {
        "images": 60.0,
        "prevalence": 0.25,
        "auc": 0.9312,
        "auc_low": 0.9,
        "auc_high": 0.96,
    },
}


def test_an_roi_is_sent_as_the_contract_has_it() -> None:
    assert json.loads(roi_json("40, 30,180,160.5")) == {"box": [40, 30, 180, 160.5]}
    assert roi_json(None) is None


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1;2;3;4"])
def test_an_roi_that_is_no_box_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RoiArgumentInvalid, match="--roi 40,30,180,160"):
        roi_json(text)


def test_a_finished_run_is_told_with_its_figures_the_gates_word_and_the_next_step() -> (
    None
):
    images, auc, gate, step = run_lines(RUN, None)
    assert "60 images, 25% of them malignant" in images
    assert "AUC 0.931 (95 % interval 0.900-0.960)" in auc
    assert gate == "Validation passed."
    assert step.endswith("./sera models promote 9f2c9f2c9f2c")
    assert run_lines(RUN, {"live": True})[-1] == "It is live."


def test_a_model_that_was_not_promoted_is_told_with_the_reason() -> None:
    refused = ApiProblem("promotion-needs-reason", "Give the reason in writing.")
    assert (
        run_lines(RUN, refused)[-1]
        == "Not promoted: Give the reason in writing. [promotion-needs-reason]"
    )


def test_a_failed_run_is_told_in_one_sentence_with_the_way_on() -> None:
    failed = RUN | {
        "state": "failed",
        "reason": "too-few-images",
        "message": "There are too few images.",
    }
    (output,) = run_lines(failed, None)
    assert output.startswith("The run ended as failed: There are too few images.")
    assert output.endswith("./sera runs resume a1b2c3d4")


class Gateway:
    """Knows two models, the newest first."""

    def get_list(self, _path: str) -> list[dict]:
        return [
            {"name": "light", "version": number, "digest": f"{number}" * 64}
            for number in (2, 1)
        ]


@pytest.mark.parametrize(
    ("reference", "version"),
    [("light", 2), ("light/1", 1), ("1" * 12, 1), ("2" * 64, 2)],
)
def test_a_model_is_found_by_name_version_or_digest(
    reference: str, version: int
) -> None:
    assert find_model(Gateway(), reference)["version"] == version


@pytest.mark.parametrize("reference", ["", "11", "light/3", "ligh", "../cases"])
def test_what_means_no_model_is_said_to_be_none(reference: str) -> None:
    with pytest.raises(ModelUnknown, match="models list"):
        find_model(Gateway(), reference)
