import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shared.networks import (
    TapNetwork,
    Weights,
    WeightsFinder,
    WeightsMissing,
    WeightsUnreadable,
    get_network,
    load_weights,
)

ROOT = Path(__file__).parents[3]
REAL = ROOT.parent / "shared" / "weights"
CARD = get_network("squeezenet").card


@pytest.fixture
def weight_file(tmp_path):
    path = tmp_path / "made" / "weights.pth"
    path.parent.mkdir()
    torch.save(get_network("squeezenet").build().state_dict(), path)
    return path


def served(file: Path, name: str):
    """The card with its weights at a file address."""
    target = file.with_name(name)
    target.write_bytes(file.read_bytes())
    return replace(CARD, weights=Weights(("squeezenet1_1.pth",), target.as_uri(), "none"))


def test_a_file_in_the_folder_is_found_under_each_of_its_names(tmp_path):
    for name in CARD.weights.files:
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).touch()
        assert WeightsFinder(folder, tmp_path / "cache", download=False).find(CARD) == folder / name


def test_a_download_is_kept_and_found_again(tmp_path, weight_file):
    digest = hashlib.sha256(weight_file.read_bytes()).hexdigest()[:8]
    card = served(weight_file, f"squeezenet1_1-{digest}.pth")
    fetched = WeightsFinder(None, tmp_path / "cache").find(card)
    assert fetched.read_bytes() == weight_file.read_bytes()
    assert WeightsFinder(None, tmp_path / "cache", download=False).find(card) == fetched


def test_a_download_that_does_not_match_its_hash_leaves_nothing(tmp_path, weight_file):
    card = served(weight_file, "squeezenet1_1-00000000.pth")
    with pytest.raises(WeightsMissing, match="hash"):
        WeightsFinder(None, tmp_path / "cache").find(card)
    assert list((tmp_path / "cache").iterdir()) == []


def test_missing_weights_say_what_is_missing_and_where_to_put_it(tmp_path):
    with pytest.raises(WeightsMissing, match=r"squeezenet1_1\.pth.*SERA_WEIGHTS_DIR"):
        WeightsFinder(tmp_path, tmp_path / "cache", download=False).find(CARD)


def test_a_file_of_another_network_is_refused(weight_file):
    with pytest.raises(WeightsUnreadable, match="mobilenet_v2"):
        load_weights(get_network("mobilenet_v2").build(), weight_file, "mobilenet_v2")


class Planted:
    def __reduce__(self):
        return (Path.touch, (Path("planted"),))


def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "squeezenet1_1.pth"
    torch.save(Planted(), file)
    with pytest.raises(WeightsUnreadable):
        load_weights(get_network("squeezenet").build(), file, "squeezenet")
    assert not Path("planted").exists()


@pytest.mark.skipif(not REAL.is_dir(), reason="real weights lie beside the checkout only during development")
@pytest.mark.parametrize("name", ["squeezenet", "mobilenet_v2"])
def test_real_weights_give_finite_features_that_differ_between_images(name, tmp_path):
    network = TapNetwork.pretrained(name, ("avg",), WeightsFinder(REAL, tmp_path, download=False))
    side = network.card.input_px
    features = network(torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0)))
    assert features.isfinite().all()
    assert not torch.allclose(features[0], features[1], atol=1e-3)
