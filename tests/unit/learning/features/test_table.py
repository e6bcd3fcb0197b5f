from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.engines import EagerEngine
from shared.errors import InputError, Unavailable
from shared.imaging import Framing, ImageFormat, MarkedImage, Nodule, UltrasoundImage
from shared.learning import FeaturesNotFinite, Sample
from shared.learning.errors import StoredTableMissing
from shared.learning.features.cache import NoCache
from shared.learning.features.extractors import HandcraftedExtractor, NetworkExtractor
from shared.learning.features.stored_table import CHUNK_ROWS, StoredTable
from shared.learning.features.table import (
    FeatureTable,
    TableView,
    compute_vectors,
    gather_features,
    precompute_features,
)
from shared.learning.progress import ignore_progress
from shared.learning.samples.nodules import FramedNodules
from shared.networks import TapNetwork, get_network
from shared.recipes import HandcraftedFeatures, NetworkFeatures

BY_FORMULA = HandcraftedExtractor(HandcraftedFeatures(("shape", "intensity")))


@dataclass
class MemoryCache:
    entries: dict[str, bytes] = field(default_factory=dict)

    def get(self, key: str) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: str, vector: bytes) -> None:
        self.entries[key] = vector


class Shift(torch.nn.Module):
    """Shifts features, so that some are negative."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps - maps.mean()


class Unreadable(InputError):
    code = "unreadable"
    text = "no"


def grey(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (40, 50), dtype=np.uint8)


def marked(seed: int) -> MarkedImage:
    return MarkedImage(UltrasoundImage(grey(seed), ImageFormat.PNG))


def nodule(seed: int, masked: bool = True) -> Nodule:
    pixels = grey(seed)
    return Nodule(pixels, np.full(pixels.shape, masked))


def refuse() -> MarkedImage:
    raise Unreadable()


def samples(count: int) -> list[Sample]:
    return [
        Sample(f"s{seed}", partial(marked, seed), malignant=bool(seed % 2))
        for seed in range(count)
    ]


def gather(samples, cache, folder, extractor=BY_FORMULA, margin=0.1) -> FeatureTable:
    return gather_features(
        samples,
        extractors=[extractor],
        cache=cache,
        nodules=FramedNodules(Framing(margin)),
        progress=ignore_progress,
        folder=folder,
    )


def precompute(samples, cache) -> tuple[int, list[str]]:
    """The number of computed images, and the keys of the skipped ones."""
    computed, skipped = precompute_features(
        samples,
        extractors=[BY_FORMULA],
        cache=cache,
        nodules=FramedNodules(Framing(0.1)),
        progress=ignore_progress,
    )
    return computed, [image.key for image in skipped]


def test_a_bad_image_fails_alone():
    outcomes = compute_vectors(
        [BY_FORMULA], [nodule(0), nodule(1, masked=False), Unreadable(), nodule(2)]
    )
    assert [getattr(outcome, "code", "fine") for outcome in outcomes] == [
        "fine",
        "region-empty",
        "unreadable",
        "fine",
    ]
    np.testing.assert_array_equal(
        outcomes[3][0], compute_vectors([BY_FORMULA], [nodule(2)])[0][0]
    )


def test_a_batch_of_bad_images_gives_an_error_each():
    assert [
        error.code
        for error in compute_vectors([BY_FORMULA], [Unreadable(), Unreadable()])
    ] == ["unreadable"] * 2


def test_an_unreadable_image_is_skipped_and_named(tmp_path):
    mixed = [*samples(3), Sample("torn", refuse, malignant=True), *samples(2)]
    table = gather(mixed, NoCache(), tmp_path, extractor=BY_FORMULA, margin=0.0)
    assert [skipped.key for skipped in table.skipped] == ["torn"]
    assert table.features[0].shape == (5, BY_FORMULA.width)
    assert table.malignant.tolist() == [False, True, False, False, True]


def test_a_retryable_error_ends_the_fit_and_does_not_skip_the_image(tmp_path):
    def fail():
        raise Unavailable(service="The object store")

    with pytest.raises(Unavailable):
        gather([*samples(2), Sample("far", fail, malignant=True)], NoCache(), tmp_path)


def test_cached_features_are_used_without_loading_the_image(tmp_path):
    cache = MemoryCache()
    first = gather(samples(40), cache, tmp_path, extractor=BY_FORMULA, margin=0.1)
    unloadable = [
        Sample(sample.key, refuse, malignant=sample.malignant) for sample in samples(40)
    ]
    cached = gather(unloadable, cache, tmp_path, extractor=BY_FORMULA, margin=0.1)
    np.testing.assert_array_equal(cached.features[0], first.features[0])


def test_another_margin_or_extractor_has_another_cache_key(tmp_path):
    cache = MemoryCache()
    shape_only = HandcraftedExtractor(HandcraftedFeatures(("shape",)))
    for extractor, margin in ((BY_FORMULA, 0.1), (BY_FORMULA, 0.2), (shape_only, 0.1)):
        gather(samples(1), cache, tmp_path, extractor=extractor, margin=margin)
    assert len(cache.entries) == 3


def test_precomputed_images_are_not_loaded_again_and_only_new_images_are_computed(
    tmp_path,
):
    cache = MemoryCache()
    with_unreadable = [*samples(5), Sample("torn", refuse, malignant=True)]
    assert precompute(with_unreadable, cache) == (5, ["torn"])
    unloadable = [
        Sample(sample.key, refuse, malignant=sample.malignant) for sample in samples(5)
    ]
    larger = [*unloadable, *samples(7)[5:]]
    assert precompute(larger, cache) == (2, [])
    assert len(gather(larger, cache, tmp_path).samples) == 7


def test_a_stored_table_is_restored_unchanged_from_its_chunks(tmp_path):
    count = CHUNK_ROWS + 3
    cache = MemoryCache()
    values = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    stored_samples = [
        Sample(str(index), refuse, malignant=bool(index % 2)) for index in range(count)
    ]
    stored = StoredTable.store(
        FeatureTable(
            tuple(stored_samples), (values,), ("d",), (), (TableView((-values,), 1.0),)
        ),
        cache,
        FramedNodules(Framing(0.1)),
    )
    restored = stored.restore(
        [*stored_samples, Sample("skipped", refuse, malignant=True)], cache, tmp_path
    )
    np.testing.assert_array_equal(restored.features[0], values)
    [view] = restored.views
    np.testing.assert_array_equal(view.features[0], -values)
    assert view.weight == 1.0
    assert (restored.samples, restored.digests) == (tuple(stored_samples), ("d",))
    del cache.entries[f"{stored.key}/0/1"]
    with pytest.raises(StoredTableMissing):
        stored.restore(stored_samples, cache, tmp_path)


def network_extractor(
    flips: bool = False, root: bool = False, nan_weights: bool = False
) -> NetworkExtractor:
    torch.manual_seed(0)
    definition = get_network("sera_tiny")
    network = TapNetwork(
        definition.card, definition.stages(definition.build()), ("avg",)
    )
    if nan_weights:
        network.layers["block1"][0].weight.fill_(float("nan"))
    features = NetworkFeatures("sera_tiny", ("avg",), flips=flips, root=root)
    return NetworkExtractor(features, network, EagerEngine())


def test_with_flips_a_mirror_image_has_the_same_features():
    extractor = network_extractor(flips=True)
    original = nodule(5)
    mirrored = Nodule(np.ascontiguousarray(original.pixels[:, ::-1]), original.mask)
    features = extractor.compute(
        [extractor.prepare(original), extractor.prepare(mirrored)]
    )
    np.testing.assert_allclose(features[0], features[1], atol=1e-5)


def test_roots_keep_the_sign_and_have_another_cache_key():
    plain = network_extractor()
    rooted = network_extractor(root=True)
    for network in (plain.network, rooted.network):
        network.layers["block4"].append(Shift())
    prepared = [plain.prepare(nodule(7))]
    features = plain.compute(prepared)
    roots = rooted.compute(prepared)
    assert features.min() < 0 < features.max()
    np.testing.assert_allclose(roots * np.abs(roots), features, rtol=1e-5, atol=1e-7)
    assert roots.dtype == np.float32
    assert plain.digest != rooted.digest


def test_features_that_are_not_finite_are_refused():
    extractor = network_extractor(nan_weights=True)
    with pytest.raises(FeaturesNotFinite, match="sera_tiny"):
        extractor.compute([extractor.prepare(nodule(0))])
