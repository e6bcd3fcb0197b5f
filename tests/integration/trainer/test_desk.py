from datetime import timedelta
from pathlib import Path

import pytest

from services.trainer.desk import TrainingDesk
from services.trainer.samples import samples
from shared.bundles import load
from shared.bundles.depot import fetch
from shared.domain.training import RunState, Split
from shared.imaging import Framing
from shared.ledger.datasets import LabelledImage
from shared.ledger.heartbeat import Heartbeat
from shared.networks import WeightsFinder
from shared.objects import open_store
from shared.phantoms import draw
from tests.builders import encode

LEASE = timedelta(minutes=1)


@pytest.fixture
def objects(tmp_path):
    return open_store((tmp_path / "objects").as_uri())


@pytest.fixture
def desk(ledger, objects):
    weights = WeightsFinder(None, Path("nowhere"), download=False)
    return TrainingDesk(ledger, objects, weights, Heartbeat(lambda tokens: None, LEASE), LEASE)


@pytest.fixture
def dataset(ledger, objects):
    """Forty phantoms with masks and four more that are held back."""
    rows = []
    for seed in range(44):
        phantom = draw(seed, malignant=seed % 2 == 0, size_px=128)
        image, mask = (objects.put(encode(pixels)).sha256 for pixels in (phantom.pixels, phantom.mask * 255))
        split = Split.TEST if seed >= 40 else Split.TRAIN
        rows.append(LabelledImage(image, phantom.malignant, split, mask_sha256=mask, patient=f"p{seed // 2}"))
    with ledger.whole("test") as house:
        dataset = house.datasets.ensure("phantoms", synthetic=True)
        house.datasets.add(dataset, rows)
    return dataset


@pytest.fixture
def run(ledger, dataset):
    """Asks for a run of a recipe, lets the trainer work and returns the run."""

    def ran(desk, recipe):
        with ledger.whole("test") as house:
            run_id = house.runs.request(dataset, str(recipe), 0)
        desk.work()
        with ledger.whole("test") as house:
            return house.runs.find(run_id)

    return ran


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "handcrafted.toml"
    path.write_text(
        'name = "handcrafted"\nversion = "1"\nsource = "the tests"\n'
        '[[features]]\nfamilies = ["intensity", "shape"]\n'
        '[[classifiers]]\nkind = "forest"\ntrees = 40\n'
        "[validation]\nfolds = 2\n"
    )
    return path


def test_a_run_ends_in_a_stored_bundle_that_knows_only_the_training_rows(desk, run, recipe, ledger, objects, tmp_path):
    ended = run(desk, recipe)
    assert (ended.state, ended.fraction, ended.reason) == (RunState.DONE, 1.0, None)
    assert ended.metrics["images"] == 40
    bundle = load(fetch(ended.model_digest, objects, tmp_path / "shelf"), ended.model_digest)
    assert (bundle.manifest.training.images, bundle.manifest.synthetic) == (40, True)
    with ledger.whole("test") as house:
        stored = house.models.find(ended.model_digest)
    assert (stored.name, stored.version, stored.live) == ("handcrafted", 1, False)


def test_a_second_run_computes_no_feature_again(desk, run, recipe, objects, monkeypatch):
    run(desk, recipe)
    monkeypatch.setattr(type(objects), "get", lambda self, sha256: pytest.fail("an image was fetched again"))
    assert run(desk, recipe).state is RunState.DONE


def test_a_run_that_cannot_be_done_says_why_and_the_next_one_is_taken_up(desk, run, recipe):
    failed = run(desk, "light")
    assert (failed.state, failed.reason) == (RunState.FAILED, "weights-missing")
    assert "SERA_WEIGHTS_DIR" in failed.message
    assert run(desk, recipe).state is RunState.DONE


def test_a_sample_is_cut_out_by_its_mask(objects, ledger, dataset):
    with ledger.whole("test") as house:
        rows = house.datasets.images(dataset)
    nodule = samples(rows, objects, Framing(0.1))[0].load()
    assert nodule.outlined
    assert nodule.pixels.shape < (128, 128)
    assert 0 < nodule.mask.mean() < 1
