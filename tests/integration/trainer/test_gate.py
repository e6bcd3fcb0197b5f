"""The gate's step on real bundles and a directory of objects."""

import json
from pathlib import Path

import pytest

from services.trainer import gate as gate_module
from services.trainer.gate import judge, gate_policy
from shared.bundles import Bundle, load, save
from shared.domain.models import GateVerdict
from shared.domain.training.states import Split
from shared.errors import Unavailable
from shared.imaging import Framing
from shared.learning import fit, phantom_samples
from shared.learning.progress import ignore_progress
from shared.ledger.datasets.repository import LabelledImage
from shared.networks import WeightsFinder
from shared.objects import open_store
from shared.recipes import read_recipe
from shared.settings import Settings
from shared.statistics.model_life.gate import GatePolicy
from tests.support.builders import SMALL_RECIPE, outlined_phantom

POLICY = GatePolicy()
TEST_IMAGES = 24


class Kept(dict):
    """Readings kept, and how often one was asked for."""

    def put(self, key, value):
        self[key] = value


@pytest.fixture(scope="module")
def bundles(first_bundle, tmp_path_factory) -> list[Bundle]:
    """Two bundles fitted on phantoms, alike but for their seed and their framing."""
    second_bundle = tmp_path_factory.mktemp("bundles") / "second"
    weights = WeightsFinder(None, Path("nowhere"), download=False)
    recipe = read_recipe(SMALL_RECIPE | {"roi": {"margin": 0.3}})
    second = fit(phantom_samples(24, 0, 0.3), recipe, weights, seed=1)
    save(second, second_bundle, synthetic=True)
    return [load(first_bundle), load(second_bundle)]


@pytest.fixture
def objects(tmp_path):
    return open_store((tmp_path / "objects").as_uri())


@pytest.fixture
def images(objects):
    """Phantoms with masks, at two sites."""
    rows = []
    for seed in range(800, 800 + TEST_IMAGES):
        image, mask = (objects.put(file).sha256 for file in outlined_phantom(seed))
        site = "north" if seed % 3 else None
        rows.append(
            LabelledImage(image, seed % 2 == 0, Split.TEST, mask_sha256=mask, site=site)
        )
    return rows


@pytest.fixture
def keep():
    return Kept()


def test_both_models_read_every_image_as_each_wants_it_cut_out(
    bundles, images, objects, keep
):
    candidate, live = bundles
    judgement = judge(candidate, live, images, objects, POLICY, keep, ignore_progress)
    assert candidate.framing == Framing(0.1)
    assert live.framing == Framing(0.3)
    assert judgement.verdict in (GateVerdict.PASSED, GateVerdict.FAILED)
    figures = judgement.figures
    assert (figures["images"], figures["malignant"]) == (TEST_IMAGES, TEST_IMAGES // 2)
    assert figures["comparison"]["difference"] == pytest.approx(
        figures["candidate"]["auc"]["value"] - figures["live"]["auc"]["value"]
    )
    assert [row["site"] for row in figures["sites"]] == ["(no site)", "north"]
    assert len(keep) == 2 * TEST_IMAGES


def test_readings_that_are_kept_are_not_made_again(
    bundles, images, objects, keep, monkeypatch
):
    candidate, live = bundles
    first = judge(live, None, images, objects, POLICY, keep, ignore_progress)
    assert len(keep) == TEST_IMAGES
    fetched = []
    get = type(objects).get
    monkeypatch.setattr(
        type(objects),
        "get",
        lambda self, sha256: (fetched.append(sha256), get(self, sha256))[1],
    )
    again = judge(live, None, images, objects, POLICY, keep, ignore_progress)
    assert (again, fetched) == (first, [])
    judge(candidate, live, images, objects, POLICY, keep, ignore_progress)
    assert len(fetched) == 2 * TEST_IMAGES, (
        "an image and a mask each, for the candidate alone"
    )


def test_a_gate_that_was_killed_goes_on_where_it_was(bundles, images, objects, keep):
    def dies(stage, fraction, message, metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(bundles[0], None, images, objects, POLICY, keep, dies)
    assert len(keep) == gate_module.BATCH_IMAGES
    judged = judge(bundles[0], None, images, objects, POLICY, keep, ignore_progress)
    assert judged == judge(bundles[0], None, images, objects, POLICY, Kept(), ignore_progress)


def test_never_more_than_a_batch_is_in_memory(
    bundles, images, objects, keep, monkeypatch
):
    monkeypatch.setattr(gate_module, "BATCH", 5)
    sizes = []
    predict = Bundle.predict_each
    monkeypatch.setattr(
        Bundle,
        "predict_each",
        lambda self, nodules: (sizes.append(len(nodules)), predict(self, nodules))[1],
    )
    judge(bundles[0], None, images, objects, POLICY, keep, ignore_progress)
    assert sizes == [5, 5, 5, 5, 4]


def test_progress_goes_from_nothing_to_all(bundles, images, objects, keep):
    told = []
    judge(*bundles, images, objects, POLICY, keep, lambda *said: told.append(said))
    assert {stage for stage, *_ in told} == {"gate"}
    fractions = [fraction for _, fraction, *_ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert str(told[-1][2]) == f"{2 * TEST_IMAGES} of {2 * TEST_IMAGES} readings"


def test_an_image_that_is_gone_counts_as_called_wrongly_and_that_is_kept(
    bundles, images, objects, keep
):
    whole = judge(bundles[0], None, images, objects, POLICY, keep, ignore_progress).figures[
        "candidate"
    ]
    objects.delete(images[0].image_sha256)
    fresh = Kept()
    judgement = judge(bundles[0], None, images, objects, POLICY, fresh, ignore_progress)
    found = judgement.figures["candidate"]
    assert (whole["unread"], found["unread"]) == (0, 1)
    assert found["auc"]["value"] <= whole["auc"]["value"]
    assert "object-missing" in {json.loads(kept)["unread"] for kept in fresh.values()}


def test_an_object_store_that_is_away_ends_the_step_and_counts_against_nobody(
    bundles, images, objects, keep, monkeypatch
):
    def away(self, sha256):
        raise Unavailable(service="The object store")

    monkeypatch.setattr(type(objects), "get", away)
    with pytest.raises(Unavailable):
        judge(bundles[0], None, images, objects, POLICY, keep, ignore_progress)
    assert not keep


def test_without_test_images_nothing_is_judged_and_nothing_is_read(
    bundles, objects, keep
):
    judgement = judge(*bundles, [], objects, POLICY, keep, ignore_progress)
    assert judgement.verdict is GateVerdict.NOT_JUDGED


def test_a_bundle_is_no_worse_than_itself(bundles, images, objects, keep):
    judgement = judge(bundles[0], bundles[0], images, objects, POLICY, keep, ignore_progress)
    assert judgement.figures["comparison"]["difference"] == 0
    assert "auc-not-worse" in {reason.code for reason in judgement.reasons}


def test_the_policy_is_the_settings_and_its_defaults_are_theirs():
    assert gate_policy(Settings()) == GatePolicy()
    assert gate_policy(
        Settings(gate_margin=0.02, gate_least_of_each_class=50)
    ) == GatePolicy(margin=0.02, least_of_each_class=50)


@pytest.mark.parametrize(
    "unsafe",
    [
        {"gate_margin": 0.5},
        {"gate_margin": 0},
        {"gate_sensitivity_floor": 1.1},
        {"gate_least_of_each_class": 1},
    ],
)
def test_a_policy_that_asks_for_nothing_is_refused(unsafe):
    with pytest.raises(ValueError, match="gate_"):
        Settings(**unsafe)
