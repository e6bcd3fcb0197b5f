"""Makes a model from a few phantoms in seconds.

A trial tests the handling of cases, not the quality of the answers.
"""

from pathlib import Path

from shared.bundles import save
from shared.bundles.storage import publish
from shared.learning import fit, phantom_samples
from shared.ledger import Ledger
from shared.networks import WeightsFinder
from shared.objects import ObjectStore
from shared.recipes import read_recipe

MARGIN = 0.1
PHANTOMS = 24
SEED = 0
RECIPE = {
    "name": "chaos",
    "version": "1",
    "source": "for ./sera chaos only",
    "roi": {"margin": MARGIN},
    "features": [
        {"network": "sera_tiny", "taps": ["avg"], "tuning": "phantoms"},
        {"families": ["shape", "intensity"]},
    ],
    "classifiers": [
        {"kind": "svm", "kernel": ["rbf"], "C": [1]},
        {"kind": "forest", "trees": 8},
    ],
    "validation": {"folds": 2},
    "phantoms": {"count": 33, "epochs": 1, "batch": 33, "rate": 0.05},
}


def make(folder: Path) -> Path:
    """Fit the model and save its bundle in `folder`."""
    weights = WeightsFinder(None, folder.parent / "weights", download=False)
    samples = phantom_samples(PHANTOMS, SEED)
    model = fit(samples, read_recipe(RECIPE), weights)
    save(model, folder, synthetic=True)
    return folder


def make_live(folder: Path, ledger: Ledger, objects: ObjectStore) -> None:
    digest = publish(folder, objects)
    with ledger.system_session("chaos") as session:
        session.models.store(
            digest=digest,
            name="chaos",
            recipe="chaos",
            run_id=None,
            synthetic=True,
            metrics={},
        )
        session.models.promote(digest, "chaos", "a trial's own model")
