import torch

from shared.networks.card import MAP_POOLS, Pool
from shared.networks.pooling import nodule_regions, pool_maps, spatial_maps


def square(side: int = 96) -> torch.Tensor:
    mask = torch.zeros(1, 1, side, side)
    mask[..., 32:64, 32:64] = 1
    return mask


def test_the_regions_are_the_nodule_a_band_along_its_outline_and_a_ring_beyond_it():
    regions = nodule_regions(square())
    row = {pool: regions[pool][0, 0, 48] for pool in regions}
    assert row[Pool.INSIDE].nonzero().flatten().tolist() == list(range(32, 64))
    assert row[Pool.RIM].nonzero().flatten().tolist() == [
        *range(29, 35),
        *range(61, 67),
    ]
    assert row[Pool.SURROUNDINGS].nonzero().flatten().tolist() == [
        *range(26, 32),
        *range(64, 70),
    ]


def test_a_region_s_features_are_its_own_mean():
    maps = torch.arange(96 * 96, dtype=torch.float32).reshape(1, 1, 96, 96)
    regions = nodule_regions(square())
    torch.testing.assert_close(
        pool_maps(maps, Pool.INSIDE, regions), maps[..., 32:64, 32:64].mean((2, 3))
    )


def test_without_an_outline_the_inside_is_the_whole_crop_and_nothing_is_around():
    maps = torch.randn(2, 5, 12, 12, generator=torch.Generator().manual_seed(0))
    regions = nodule_regions(torch.ones(2, 1, 96, 96))
    torch.testing.assert_close(
        pool_maps(maps, Pool.INSIDE, regions), pool_maps(maps, Pool.AVERAGE, {})
    )
    assert pool_maps(maps, Pool.SURROUNDINGS, regions).abs().max() == 0


def test_the_centre_is_the_middle_half_of_both_sides():
    maps = torch.arange(13 * 13, dtype=torch.float32).reshape(1, 1, 13, 13)
    torch.testing.assert_close(
        pool_maps(maps, Pool.CENTRE, {}), maps[..., 3:10, 3:10].mean((2, 3))
    )
    speck = torch.full((1, 2, 1, 1), 7.0)
    torch.testing.assert_close(
        pool_maps(speck, Pool.CENTRE, {}), torch.full((1, 2), 7.0)
    )


def tokens_of(maps: torch.Tensor, class_token: torch.Tensor) -> torch.Tensor:
    """Tokens (N, 1 + H W, C), row after row, the class token first."""
    return torch.cat([class_token[:, None], maps.flatten(2).transpose(1, 2)], dim=1)


def test_patch_tokens_are_pooled_like_the_map_that_they_are():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 5, 12, 12, generator=generator)
    class_token = torch.randn(2, 5, generator=generator)
    tokens = tokens_of(maps, class_token)
    assert torch.equal(spatial_maps(tokens), maps)
    assert torch.equal(pool_maps(tokens, Pool.CLASS, {}), class_token)
    regions = nodule_regions(square().expand(2, -1, -1, -1))
    for pool in MAP_POOLS:
        torch.testing.assert_close(
            pool_maps(tokens, pool, regions), pool_maps(maps, pool, regions)
        )
