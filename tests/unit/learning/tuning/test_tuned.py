import numpy as np
import pytest
import torch

from shared.engines import EagerEngine
from shared.imaging import Framing
from shared.learning import NoCache, ignore_progress
from shared.learning.tuning import TunedFeatures, NetworkTuning
from shared.learning.tuning.tuned import TuningContext
from shared.learning.validation.cross_validation import CrossValidation
from shared.learning.validation.folds import split_folds
from shared.recipes import NetworkFeatures, TuningPlan
from shared.recipes import Tuning as How
from tests.support.double_engine import DoubleEngine

FEATURES = NetworkFeatures("sera_tiny", ("block3.avg",), How.FINE_TUNE, "block3")
PLAN = TuningPlan(epochs=3, rates=(0.003, 0.01), batch=8)


class Notes(dict):
    def get(self, key: str) -> bytes | None:
        return super().get(key)

    def put(self, key: str, vector: bytes) -> None:
        self[key] = vector


@pytest.fixture(scope="module")
def trial(malignant) -> CrossValidation:
    groups = np.array([str(row) for row in range(len(malignant))])
    return CrossValidation(malignant, groups, split_folds(malignant, groups, 2, 0), 2, 0, "phantoms")


@pytest.fixture
def tuned(body, samples, trial):
    """Makes a tuning that keeps what it finds; closed after the test."""
    made = []

    def make(keep=None, plan=PLAN, engine=None) -> tuple[NetworkTuning, TunedFeatures]:
        ground = TuningContext(
            samples,
            trial,
            plan,
            Framing(0.1),
            NoCache() if keep is None else keep,
            engine or EagerEngine(),
        )
        tuning = NetworkTuning(FEATURES, lambda: body, "origin", ground, ignore_progress)
        made.append(tuning)
        return tuning, TunedFeatures(FEATURES, tuning, ground)

    yield make
    for tuning in made:
        tuning.close()


def test_tables_by_another_engine_are_equal_and_cached_apart(tuned):
    engine = DoubleEngine()
    _, usual = tuned()
    _, other = tuned(engine=engine)
    np.testing.assert_allclose(usual.fold_table(0), other.fold_table(0), rtol=1e-3, atol=1e-4)
    assert sum(engine.passes) == len(usual.fold_table(0))
    assert usual.digest != other.digest


def test_a_fold_s_table_holds_features_and_last_the_verdict_of_its_own_network(
    tuned, trial, samples
):
    _, columns = tuned()
    tables = [columns.fold_table(number) for number in (0, 1)]
    assert tables[0].shape == (len(samples), 64 + 1)
    assert not np.array_equal(tables[0][:, -1], tables[1][:, -1])
    for number, fold in enumerate(trial.folds):
        np.testing.assert_allclose(
            columns.fold_log_odds(number), tables[number][fold.test, -1], atol=1e-4
        )


def test_the_table_of_the_bundle_comes_from_the_extractor_of_the_bundle(tuned, samples):
    _, columns = tuned()
    extractor = columns.extractor()
    nodules = [sample.load() for sample in samples[:5]]
    computed = extractor.compute([extractor.prepare(nodule) for nodule in nodules])
    np.testing.assert_allclose(columns.final_table()[:5], computed, atol=1e-4)


def test_an_interrupted_tuning_goes_on_with_what_it_kept(tuned):
    notes = Notes()
    first = tuned(notes)[1].fold_table(0)
    assert len([key for key in notes if key.startswith("curves/")]) == 4
    again, columns = tuned(notes)
    np.testing.assert_array_equal(columns.fold_table(0), first)
    assert "_tuner" not in vars(again)


def test_weights_for_which_there_was_no_room_are_tuned_again(tuned, monkeypatch):
    kept = tuned()[1].fold_table(1)
    monkeypatch.setattr("shared.learning.tuning.tuned.MAX_SNAPSHOT_BYTES", 0)
    np.testing.assert_allclose(tuned()[1].fold_table(1), kept, atol=1e-5)


def test_another_plan_is_another_entry(tuned):
    digests = {
        tuned(plan=plan)[0].digest
        for plan in (PLAN, TuningPlan(epochs=3, rates=(0.003,), batch=8))
    }
    assert len(digests) == 2


def test_random_state_of_the_caller_stays(tuned):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    tuned()[0].prepare()
    assert torch.equal(torch.rand(3), expected)
