"""The outline network as a part of a bundle."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from shared.bundles import load, save
from shared.bundles.errors import BundleUnreadable, OutlinesNotReproduced
from shared.bundles.loading import load_contents, read_folder
from shared.bundles.manifest import MANIFEST_FILE, FileEntry, Manifest, sha256
from shared.imaging import Roi
from shared.outlines import NetworkOutliner, OutlineNetwork, pack_network
from shared.recipes import OutlinePlan

PLAN = OutlinePlan(encoder="sera_tiny", deepest="block4", frozen="")
GOLDEN = "golden-outlines.safetensors"


@pytest.fixture(scope="module")
def outlined(model):
    outliner = NetworkOutliner(OutlineNetwork.untrained(PLAN))
    recipe = replace(model.recipe, outline=PLAN)
    return replace(model, recipe=recipe, outliner=outliner)


@pytest.fixture(scope="module")
def contents(outlined, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "outlined"
    save(outlined, folder, synthetic=True)
    return read_folder(folder)


def with_file(contents, path: str, content: bytes):
    """The bundle with another file, which its manifest lists."""
    manifest = Manifest.from_bytes(contents[MANIFEST_FILE])
    entry = FileEntry(sha256=sha256(content), size=len(content))
    changed = manifest.model_copy(update={"files": {**manifest.files, path: entry}})
    return contents | {path: content, MANIFEST_FILE: changed.to_bytes()}


def test_a_loaded_model_outlines_as_the_saved_one(contents, outlined, tmp_path):
    folder = tmp_path / "outlined"
    save(outlined, folder, synthetic=True)
    bundle = load(folder)
    assert bundle.framing.outliner.digest == outlined.outliner.digest
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120), dtype=np.uint8)
    box = Roi(box=(30.0, 20.0, 40.0, 40.0))
    assert bundle.framing.outliner.trace(pixels, box) == outlined.outliner.trace(
        pixels, box
    )


def test_a_model_without_outlines_reads_rois_as_they_are(saved):
    assert load(*saved).framing.outliner is None


@pytest.mark.parametrize("name", ["0.mask", "1.clicked"])
def test_a_network_that_draws_something_else_is_refused(contents, name):
    arrays = safetensors.numpy.load(contents[GOLDEN])
    arrays[name] = 1 - arrays[name]
    changed = with_file(contents, GOLDEN, safetensors.numpy.save(arrays))
    with pytest.raises(OutlinesNotReproduced):
        load_contents(changed)


def test_a_bundle_without_its_recipes_outline_network_is_refused(contents):
    manifest = Manifest.from_bytes(contents[MANIFEST_FILE])
    changed = manifest.model_copy(update={"outline": None}).to_bytes()
    with pytest.raises(BundleUnreadable, match="outline network"):
        load_contents(contents | {MANIFEST_FILE: changed})


def test_the_weights_are_stored_once(contents, outlined):
    packed = pack_network(outlined.outliner.network)
    assert [path for path, content in contents.items() if content == packed] == [
        "networks/outline.safetensors"
    ]
