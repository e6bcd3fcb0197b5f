import numpy as np
import pytest
import torch

from shared.engines import EagerEngine
from shared.imaging import Framing
from shared.learning import NoCache, ignore_progress
from shared.learning.samples.nodules import FramedNodules
from shared.learning.tuning import NetworkTuning, TunedFeatures
from shared.learning.tuning.tuned import TuningContext
from shared.learning.validation.cross_validation import CrossValidation
from shared.learning.validation.folds import split_folds
from shared.recipes import NetworkFeatures, Tuning, TuningPlan
from tests.support.double_engine import DoubleEngine
from tests.support.watched_engine import WatchedEngine

FEATURES = NetworkFeatures("sera_tiny", ("block3.avg",), Tuning.FINE_TUNE, "block3")
PLAN = TuningPlan(epochs=3, rates=(0.003, 0.01), batch=8)


class MemoryCache(dict):
    def get(self, key: str) -> bytes | None:
        return super().get(key)

    def put(self, key: str, vector: bytes) -> None:
        self[key] = vector


@pytest.fixture(scope="module")
def cross_validation(malignant) -> CrossValidation:
    groups = np.array([str(row) for row in range(len(malignant))])
    return CrossValidation(
        malignant=malignant,
        groups=groups,
        folds=split_folds(malignant, groups, count=2, seed=0),
        inner_folds=2,
        seed=0,
        fingerprint="phantoms",
    )


@pytest.fixture
def tuned(backbone, samples, cross_validation):
    """A function that makes a tuning and its features; the tunings are closed after the test."""
    tunings = []

    def make(
        cache=None, plan=PLAN, engine=None, load_backbone=lambda: backbone
    ) -> tuple[NetworkTuning, TunedFeatures]:
        context = TuningContext(
            samples=samples,
            cross_validation=cross_validation,
            plan=plan,
            nodules=FramedNodules(Framing(0.1)),
            cache=NoCache() if cache is None else cache,
            engine=engine or EagerEngine(),
        )
        tuning = NetworkTuning(
            features=FEATURES,
            load_backbone=load_backbone,
            weights_sha256="origin",
            context=context,
            progress=ignore_progress,
        )
        tunings.append(tuning)
        return tuning, TunedFeatures(FEATURES, tuning, context)

    yield make
    for tuning in tunings:
        tuning.close()


def test_tables_by_another_engine_are_equal_and_have_another_cache_key(tuned):
    engine = WatchedEngine(DoubleEngine())
    _, single_precision = tuned()
    _, double_precision = tuned(engine=engine)
    np.testing.assert_allclose(
        single_precision.fold_table(0),
        double_precision.fold_table(0),
        rtol=1e-3,
        atol=1e-4,
    )
    assert sum(engine.passes) == len(single_precision.fold_table(0))
    assert single_precision.digest != double_precision.digest


def test_the_last_column_of_a_fold_s_table_is_its_own_network_s_log_odds(
    tuned, cross_validation, samples
):
    _, features = tuned()
    tables = [features.fold_table(number) for number in (0, 1)]
    assert tables[0].shape == (len(samples), 64 + 1)
    assert not np.array_equal(tables[0][:, -1], tables[1][:, -1])
    for number, fold in enumerate(cross_validation.folds):
        np.testing.assert_allclose(
            features.fold_log_odds(number), tables[number][fold.test, -1], atol=1e-4
        )


def test_the_table_of_the_bundle_comes_from_the_extractor_of_the_bundle(tuned, samples):
    _, features = tuned()
    extractor = features.extractor()
    nodules = [sample.load(Framing(0.1)) for sample in samples[:5]]
    computed = extractor.compute([extractor.prepare(nodule) for nodule in nodules])
    np.testing.assert_allclose(features.final_table()[:5], computed, atol=1e-4)


def test_an_interrupted_tuning_continues_from_the_cache(tuned):
    cache = MemoryCache()
    first = tuned(cache)[1].fold_table(0)
    assert len([key for key in cache if key.startswith("curves/")]) == 4

    def fail():
        raise AssertionError("a resumed tuning needs no network")

    _, features = tuned(cache, load_backbone=fail)
    np.testing.assert_array_equal(features.fold_table(0), first)


def test_a_network_without_a_snapshot_is_tuned_again(tuned, monkeypatch):
    expected = tuned()[1].fold_table(1)
    monkeypatch.setattr("shared.learning.tuning.tuned.MAX_SNAPSHOT_BYTES", 0)
    np.testing.assert_allclose(tuned()[1].fold_table(1), expected, atol=1e-5)


def test_another_plan_has_another_cache_key(tuned):
    digests = {
        tuned(plan=plan)[0].digest
        for plan in (PLAN, TuningPlan(epochs=3, rates=(0.003,), batch=8))
    }
    assert len(digests) == 2


def test_the_caller_s_random_state_is_not_changed(tuned):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    tuned()[0].prepare()
    assert torch.equal(torch.rand(3), expected)
