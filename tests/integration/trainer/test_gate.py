"""The gate step on real bundles and a directory of objects."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.trainer import gate as gate_module
from services.trainer.gate import gate_policy, judge
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


class DictCache(dict):
    """A feature cache in memory."""

    def put(self, key, value):
        self[key] = value


@pytest.fixture(scope="module")
def bundles(first_bundle, tmp_path_factory) -> list[Bundle]:
    """Two bundles fitted on phantoms; they differ in seed and framing."""
    second_folder = tmp_path_factory.mktemp("bundles") / "second"
    weights = WeightsFinder(None, Path("nowhere"), download=False)
    recipe = read_recipe(SMALL_RECIPE | {"roi": {"margin": 0.3}})
    second = fit(phantom_samples(24, 0), recipe, weights, seed=1)
    save(second, second_folder, synthetic=True)
    return [load(first_bundle), load(second_folder)]


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
            LabelledImage(
                image_sha256=image,
                malignant=seed % 2 == 0,
                split=Split.TEST,
                mask_sha256=mask,
                site=site,
            )
        )
    return rows


@pytest.fixture
def cache():
    return DictCache()


@pytest.fixture
def run_gate(images, objects, cache):
    """Judges a candidate on the test images."""

    def run(
        candidate,
        live=None,
        *,
        images=images,
        cache=cache,
        progress=ignore_progress,
        by_roi_kind=False,
    ):
        return judge(
            candidate=candidate,
            live=live,
            images=images,
            objects=objects,
            policy=POLICY,
            feature_cache=cache,
            progress=progress,
            by_roi_kind=by_roi_kind,
        )

    return run


def test_each_model_reads_every_image_with_its_own_framing(
    bundles, images, cache, run_gate
):
    candidate, live = bundles
    judgement = run_gate(candidate, live)
    assert candidate.framing == Framing(0.1)
    assert live.framing == Framing(0.3)
    assert judgement.verdict in (GateVerdict.PASSED, GateVerdict.FAILED)
    figures = judgement.figures
    assert (figures["images"], figures["malignant"]) == (TEST_IMAGES, TEST_IMAGES // 2)
    assert figures["comparison"]["difference"] == pytest.approx(
        figures["candidate"]["auc"]["value"] - figures["live"]["auc"]["value"]
    )
    assert [row["site"] for row in figures["sites"]] == ["(no site)", "north"]
    assert len(cache) == 2 * TEST_IMAGES


def test_cached_predictions_are_not_made_again(
    bundles, objects, cache, monkeypatch, run_gate
):
    candidate, live = bundles
    first = run_gate(live)
    assert len(cache) == TEST_IMAGES
    fetched_hashes = []
    get = type(objects).get

    def get_and_record(self, sha256):
        fetched_hashes.append(sha256)
        return get(self, sha256)

    monkeypatch.setattr(type(objects), "get", get_and_record)
    second = run_gate(live)
    assert second == first
    assert fetched_hashes == []
    run_gate(candidate, live)
    assert len(fetched_hashes) == 2 * TEST_IMAGES, (
        "an image and a mask each, for the candidate alone"
    )


def test_a_killed_gate_continues_where_it_was(bundles, cache, run_gate):
    def die(stage, fraction, message, metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_gate(bundles[0], progress=die)
    assert len(cache) == gate_module.BATCH_IMAGES
    judged = run_gate(bundles[0])
    assert judged == run_gate(bundles[0], cache=DictCache())


def test_never_more_than_a_batch_is_in_memory(bundles, monkeypatch, run_gate):
    monkeypatch.setattr(gate_module, "BATCH_IMAGES", 5)
    sizes = []
    predict = Bundle.predict_each

    def predict_and_record(self, nodules):
        sizes.append(len(nodules))
        return predict(self, nodules)

    monkeypatch.setattr(Bundle, "predict_each", predict_and_record)
    run_gate(bundles[0])
    assert sizes == [5, 5, 5, 5, 4]


def test_progress_goes_from_nothing_to_all(bundles, run_gate):
    reports = []

    def record(*report):
        reports.append(report)

    run_gate(*bundles, progress=record)
    assert {stage for stage, *_ in reports} == {"gate"}
    fractions = [fraction for _, fraction, *_ in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert str(reports[-1][2]) == f"{2 * TEST_IMAGES} of {2 * TEST_IMAGES} readings"


def test_a_missing_image_counts_as_called_wrongly_and_that_is_cached(
    bundles, images, objects, cache, run_gate
):
    complete = run_gate(bundles[0])
    objects.delete(images[0].image_sha256)
    new_cache = DictCache()
    judgement = run_gate(bundles[0], cache=new_cache)
    complete_figures = complete.figures["candidate"]
    figures = judgement.figures["candidate"]
    assert (complete_figures["unread"], figures["unread"]) == (0, 1)
    assert figures["auc"]["value"] <= complete_figures["auc"]["value"]
    cached = [json.loads(entry) for entry in new_cache.values()]
    assert "object-missing" in {prediction["unread"] for prediction in cached}


def test_an_object_store_that_is_away_ends_the_step_and_counts_against_nobody(
    bundles, objects, cache, monkeypatch, run_gate
):
    def fail(self, sha256):
        raise Unavailable(service="The object store")

    monkeypatch.setattr(type(objects), "get", fail)
    with pytest.raises(Unavailable):
        run_gate(bundles[0])
    assert not cache


def test_without_test_images_nothing_is_judged_and_nothing_is_read(bundles, run_gate):
    judgement = run_gate(*bundles, images=[])
    assert judgement.verdict is GateVerdict.NOT_JUDGED


def test_a_bundle_is_no_worse_than_itself(bundles, run_gate):
    judgement = run_gate(bundles[0], bundles[0])
    assert judgement.figures["comparison"]["difference"] == 0
    assert "auc-not-worse" in {reason.code for reason in judgement.reasons}


def test_the_policy_comes_from_the_settings_with_the_same_defaults():
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


def test_images_are_read_with_each_kind_of_roi_by_both_models(
    bundles, images, cache, run_gate
):
    reports = []

    def record(*report):
        reports.append(report)

    judgement = run_gate(*bundles, by_roi_kind=True, progress=record)
    rows = {row["kind"]: row for row in judgement.figures["roi_kinds"]}
    assert list(rows) == ["outline", "box", "loose-box", "none"]
    own = judgement.figures["candidate"]["auc"]
    assert rows["outline"]["auc"] == pytest.approx(own)
    assert rows["none"]["auc"]["value"] != pytest.approx(own["value"])
    assert rows["none"]["live_auc"] is not None
    assert len(cache) == 2 * 4 * TEST_IMAGES, "an outline is the images' own ROI"
    assert reports[-1][1] == 1


def test_a_box_is_not_read_as_an_outline_and_an_image_without_an_roi_only_as_it_is(
    bundles, images, run_gate
):
    boxed = [
        replace(image, mask_sha256=None, roi={"box": [20, 20, 60, 60]})
        for image in images
    ]
    judgement = run_gate(bundles[0], images=boxed, by_roi_kind=True)
    assert [row["kind"] for row in judgement.figures["roi_kinds"]] == [
        "box",
        "loose-box",
        "none",
    ]
    bare = [replace(image, mask_sha256=None) for image in images]
    judgement = run_gate(bundles[0], images=bare, by_roi_kind=True)
    assert judgement.figures["roi_kinds"] == []
    assert "roi-kinds-not-judged" in {reason.code for reason in judgement.reasons}
