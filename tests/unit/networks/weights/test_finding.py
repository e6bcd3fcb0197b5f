import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shared.networks import (
    TapNetwork,
    WeightsFinder,
    WeightsMissing,
    WeightsSource,
    WeightsUnpublished,
    WeightsUnreadable,
    build_without_weights,
    get_network,
    load_weights,
)

ROOT = Path(__file__).parents[4]
REAL = ROOT.parent / "shared" / "weights"
CARD = get_network("squeezenet").card


@pytest.fixture
def weight_file(tmp_path):
    path = tmp_path / "made" / "weights.pth"
    path.parent.mkdir()
    torch.save(get_network("squeezenet").build().state_dict(), path)
    return path


def card_with_download(file: Path, name: str):
    """The card, with its weights at a file URL."""
    target = file.with_name(name)
    target.write_bytes(file.read_bytes())
    return replace(
        CARD, weights=WeightsSource(("squeezenet1_1.pth",), target.as_uri(), "none")
    )


def test_a_file_in_the_folder_is_found_under_each_of_its_names(tmp_path):
    for name in CARD.weights.files:
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).touch()
        assert (
            WeightsFinder(folder, tmp_path / "cache", download=False).find(CARD)
            == folder / name
        )


def test_a_download_is_stored_and_found_again(tmp_path, weight_file):
    digest = hashlib.sha256(weight_file.read_bytes()).hexdigest()[:8]
    card = card_with_download(weight_file, f"squeezenet1_1-{digest}.pth")
    downloaded = WeightsFinder(None, tmp_path / "cache").find(card)
    assert downloaded.read_bytes() == weight_file.read_bytes()
    assert (
        WeightsFinder(None, tmp_path / "cache", download=False).find(card) == downloaded
    )


def test_a_download_that_does_not_match_its_hash_leaves_nothing(tmp_path, weight_file):
    card = card_with_download(weight_file, "squeezenet1_1-00000000.pth")
    with pytest.raises(WeightsMissing, match="hash"):
        WeightsFinder(None, tmp_path / "cache").find(card)
    assert list((tmp_path / "cache").iterdir()) == []


def test_missing_weights_say_what_is_missing_and_where_to_put_it(tmp_path):
    with pytest.raises(WeightsMissing, match=r"squeezenet1_1\.pth.*SERA_WEIGHTS_DIR"):
        WeightsFinder(tmp_path, tmp_path / "cache", download=False).find(CARD)


def test_without_a_known_address_the_error_says_where_to_put_the_file(tmp_path):
    card = get_network("overfeat_accurate").card
    with pytest.raises(
        WeightsMissing, match=r"net_weight_1 .* no address is known .* SERA_WEIGHTS_DIR"
    ):
        WeightsFinder(None, tmp_path / "cache").find(card)
    assert not (tmp_path / "cache").exists()


def test_a_network_that_is_always_trained_from_scratch_has_no_weights(tmp_path):
    with pytest.raises(WeightsUnpublished, match="sera_tiny"):
        WeightsFinder(tmp_path, tmp_path / "cache").find(get_network("sera_tiny").card)


def test_the_folder_precedes_the_cache_and_our_own_name_the_publisher_s(
    tmp_path,
):
    card = get_network("vgg_f").card
    folder = tmp_path / "folder"
    cache = tmp_path / "cache"
    finder = WeightsFinder(folder, cache, download=False)
    found_paths = []
    for parent, name in (
        (cache, "vgg_f.pth"),
        (folder, "imagenet-vgg-f.mat"),
        (folder, "vgg_f.pth"),
    ):
        parent.mkdir(exist_ok=True)
        (parent / name).touch()
        found_paths.append(finder.find(card).relative_to(tmp_path).as_posix())
    assert found_paths == [
        "cache/vgg_f.pth",
        "folder/imagenet-vgg-f.mat",
        "folder/vgg_f.pth",
    ]


def test_a_download_gets_the_name_with_its_format_s_ending(tmp_path, weight_file):
    target = weight_file.with_name("model.safetensors")
    target.write_bytes(weight_file.read_bytes())
    weights = WeightsSource(
        ("squeezenet.pth", "squeezenet.safetensors"), target.as_uri(), "none"
    )
    found = WeightsFinder(None, tmp_path / "cache").find(replace(CARD, weights=weights))
    assert found == tmp_path / "cache" / "squeezenet.safetensors"


def test_a_network_without_weights_is_filled_like_a_random_one(weight_file):
    definition = get_network("squeezenet")
    empty = build_without_weights(definition)
    random = definition.build()
    for module in (empty, random):
        load_weights(module, weight_file, "squeezenet")
    expected = torch.load(weight_file, weights_only=True)
    for module in (empty, random):
        assert all(
            torch.equal(tensor, expected[name])
            for name, tensor in module.state_dict().items()
        )


def test_a_file_of_another_network_is_refused(weight_file):
    with pytest.raises(WeightsUnreadable, match="mobilenet_v2"):
        load_weights(get_network("mobilenet_v2").build(), weight_file, "mobilenet_v2")


class CodeOnLoad:
    def __reduce__(self):
        return (Path.touch, (Path("planted"),))


def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "squeezenet1_1.pth"
    torch.save(CodeOnLoad(), file)
    with pytest.raises(WeightsUnreadable):
        load_weights(get_network("squeezenet").build(), file, "squeezenet")
    assert not Path("planted").exists()


@pytest.mark.skipif(
    not REAL.is_dir(),
    reason="real weights lie beside the checkout only during development",
)
@pytest.mark.parametrize("name", ["squeezenet", "mobilenet_v2"])
def test_real_weights_give_finite_features_that_differ_between_images(name, tmp_path):
    network = TapNetwork.pretrained(
        name, ("avg",), WeightsFinder(REAL, tmp_path, download=False)
    )
    side = network.card.input_px
    features = network(
        torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    )
    assert features.isfinite().all()
    assert not torch.allclose(features[0], features[1], atol=1e-3)
