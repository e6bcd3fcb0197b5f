from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from shared.engines import EagerEngine
from shared.errors import InputError, Unavailable
from shared.imaging import Framing
from shared.imaging.image import Nodule
from shared.learning import FeaturesNotFinite, Sample
from shared.learning.errors import TableLost
from shared.learning.features.cache import NoCache
from shared.learning.features.extractors import HandcraftedExtractor, NetworkExtractor
from shared.learning.features.stored_table import CHUNK_ROWS, StoredTable
from shared.learning.features.table import (
    FeatureTable,
    compute_vectors,
    gather_features,
    precompute_features,
)
from shared.learning.progress import ignore_progress
from shared.networks import TapNetwork, get_network
from shared.recipes import HandcraftedFeatures, NetworkFeatures

BY_FORMULA = HandcraftedExtractor(HandcraftedFeatures(("shape", "intensity")))


@dataclass
class Shelf:
    kept: dict[str, bytes] = field(default_factory=dict)

    def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def put(self, key: str, vector: bytes) -> None:
        self.kept[key] = vector


class Shift(torch.nn.Module):
    """Puts features on both sides of zero."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps - maps.mean()


class Unreadable(InputError):
    code = "unreadable"
    text = "no"


def nodule(seed: int, masked: bool = True) -> Nodule:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 50), dtype=np.uint8)
    return Nodule(pixels, np.full(pixels.shape, masked))


def refuse() -> Nodule:
    raise Unreadable()


def samples(count: int) -> list[Sample]:
    return [
        Sample(f"s{seed}", bool(seed % 2), lambda seed=seed: nodule(seed))
        for seed in range(count)
    ]


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
        error.code for error in compute_vectors([BY_FORMULA], [Unreadable(), Unreadable()])
    ] == ["unreadable"] * 2


def test_what_cannot_be_read_is_skipped_and_named(tmp_path):
    mixed = [*samples(3), Sample("torn", True, refuse), *samples(2)]
    table = gather_features(mixed, [BY_FORMULA], NoCache(), Framing(0.0), ignore_progress, tmp_path)
    assert [skipped.key for skipped in table.skipped] == ["torn"]
    assert table.features[0].shape == (5, BY_FORMULA.width)
    assert table.malignant.tolist() == [False, True, False, False, True]


def test_an_engine_that_is_away_ends_the_fit_rather_than_the_image(tmp_path):
    def away():
        raise Unavailable(service="The object store")

    with pytest.raises(Unavailable):
        gather_features(
            [*samples(2), Sample("far", True, away)],
            [BY_FORMULA],
            NoCache(),
            Framing(0.0),
            ignore_progress,
            tmp_path,
        )


def test_cached_features_are_taken_without_loading_the_image(tmp_path):
    shelf = Shelf()
    first = gather_features(samples(40), [BY_FORMULA], shelf, Framing(0.1), ignore_progress, tmp_path)
    unloadable = [
        Sample(sample.key, sample.malignant, refuse) for sample in samples(40)
    ]
    again = gather_features(unloadable, [BY_FORMULA], shelf, Framing(0.1), ignore_progress, tmp_path)
    np.testing.assert_array_equal(again.features[0], first.features[0])


def test_another_margin_or_setting_is_another_entry_of_the_cache(tmp_path):
    shelf = Shelf()
    other = HandcraftedExtractor(HandcraftedFeatures(("shape",)))
    for extractor, margin in ((BY_FORMULA, 0.1), (BY_FORMULA, 0.2), (other, 0.1)):
        gather_features(samples(1), [extractor], shelf, Framing(margin), ignore_progress, tmp_path)
    assert len(shelf.kept) == 3


def test_what_was_precomputed_is_not_loaded_again_and_only_new_images_are_computed(
    tmp_path,
):
    shelf = Shelf()
    computed, skipped = precompute_features(
        [*samples(5), Sample("torn", True, refuse)],
        [BY_FORMULA],
        shelf,
        Framing(0.1),
        ignore_progress,
    )
    assert (computed, [each.key for each in skipped]) == (5, ["torn"])
    grown = [
        *(Sample(known.key, known.malignant, refuse) for known in samples(5)),
        *samples(7)[5:],
    ]
    assert precompute_features(grown, [BY_FORMULA], shelf, Framing(0.1), ignore_progress) == (2, [])
    assert (
        len(gather_features(grown, [BY_FORMULA], shelf, Framing(0.1), ignore_progress, tmp_path).samples)
        == 7
    )


def test_a_stored_table_comes_back_as_it_was_piece_by_piece(tmp_path):
    count = CHUNK_ROWS + 3
    shelf = Shelf()
    numbers = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    many = [Sample(str(place), bool(place % 2), refuse) for place in range(count)]
    stored = StoredTable.store(
        FeatureTable(tuple(many), (numbers,), ("d",), ()), shelf, Framing(0.1)
    )
    back = stored.restore([*many, Sample("skipped", True, refuse)], shelf, tmp_path)
    np.testing.assert_array_equal(back.features[0], numbers)
    assert (back.samples, back.digests) == (tuple(many), ("d",))
    del shelf.kept[f"{stored.key}/0/1"]
    with pytest.raises(TableLost):
        stored.restore(many, shelf, tmp_path)


def network_extractor(
    flips: bool = False, root: bool = False, spoil: bool = False
) -> NetworkExtractor:
    torch.manual_seed(0)
    definition = get_network("sera_tiny")
    network = TapNetwork(
        definition.card, definition.stages(definition.build()), ("avg",)
    )
    if spoil:
        network.layers["block1"][0].weight.fill_(float("nan"))
    features = NetworkFeatures("sera_tiny", ("avg",), flips=flips, root=root)
    return NetworkExtractor(features, network, EagerEngine())


def test_with_flips_a_mirror_image_has_the_same_features():
    extractor = network_extractor(flips=True)
    straight = nodule(5)
    mirrored = Nodule(np.ascontiguousarray(straight.pixels[:, ::-1]), straight.mask)
    features = extractor.compute(
        [extractor.prepare(straight), extractor.prepare(mirrored)]
    )
    np.testing.assert_allclose(features[0], features[1], atol=1e-5)


def test_roots_keep_the_sign_and_are_other_entries_of_the_cache():
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
    extractor = network_extractor(spoil=True)
    with pytest.raises(FeaturesNotFinite, match="sera_tiny"):
        extractor.compute([extractor.prepare(nodule(0))])
