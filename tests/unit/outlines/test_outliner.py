from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from shared.imaging import Box, Click, ProposedRoi, Roi
from shared.outlines import NetworkOutliner, OutlineExample, pack_network
from shared.outlines.examples import draw_click, loosen_box, mask_box
from shared.outlines.outliner import MAX_PROPOSALS
from shared.outlines.window import Window
from shared.statistics import dice
from tests.support.outlines import (
    FINDING_PLAN,
    SIZE_PX,
    phantom_examples,
    trained_network,
)

WHOLE = Box(x=0, y=0, width=SIZE_PX, height=SIZE_PX)


@pytest.fixture(scope="module")
def unseen():
    return phantom_examples(first_seed=900, count=8)


def mean_dice(outliner, examples, share: float, read_box) -> float:
    random = np.random.default_rng(0)
    agreements = []
    for example in examples:
        box = loosen_box(mask_box(example.union), random.uniform(-share, share, 4))
        agreements.append(dice(read_box(outliner, example, box), example.union))
    return float(np.mean(agreements))


def traced(outliner, example, box):
    return outliner.trace(example.pixels, Roi(box=box)).mask(WHOLE)


def test_it_finds_the_edge_that_a_loose_box_misses(outliner, unseen):
    def ellipse(_, example, box):
        return Roi(box=box).mask(WHOLE)

    assert mean_dice(outliner, unseen, 0.3, traced) > mean_dice(
        outliner, unseen, 0.3, ellipse
    )
    assert mean_dice(outliner, unseen, 0.0, traced) > 0.8


class Brightness(nn.Module):
    """Takes what is bright for a nodule, whatever the prompt."""

    input_px = 160

    def __init__(self, log_odds: float = 20.0) -> None:
        super().__init__()
        self.log_odds = log_odds

    def forward(self, images: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        return (images - 0.5) * 2 * self.log_odds


def bright(*ellipses: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Draw a picture with bright ellipses: x, y, and the radii."""
    pixels = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    for x, y, *radii in ellipses:
        cv2.ellipse(pixels, (x, y), radii, 0, 0, 360, 255, cv2.FILLED)
    return pixels


def proposals_on(*ellipses: tuple[int, int, int, int]) -> Sequence[ProposedRoi]:
    return NetworkOutliner(Brightness()).propose(bright(*ellipses), WHOLE)


@pytest.mark.parametrize("shift", [0.0, 0.35])
def test_a_box_that_is_off_is_moved_to_what_is_seen(shift):
    pixels = bright((60, 64, 24, 18))
    outliner = NetworkOutliner(Brightness(log_odds=3))
    box = loosen_box(mask_box(pixels > 0), np.full(4, shift))
    assert dice(outliner.trace(pixels, Roi(box=box)).mask(WHOLE), pixels > 0) > 0.95


def test_the_largest_nodule_is_proposed_first():
    first, second = proposals_on((30, 30, 10, 8), (80, 80, 30, 24))
    assert first.roi.bounds.x == pytest.approx(50, abs=2)
    assert first.roi.bounds.width == pytest.approx(61, abs=4)
    assert second.roi.bounds.x == pytest.approx(20, abs=2)
    assert 0.9 < first.probability <= 1


@pytest.mark.parametrize("ellipses", [(), ((60, 60, 2, 2),)])
def test_nothing_and_a_speck_are_no_nodule(ellipses):
    assert list(proposals_on(*ellipses)) == []


def test_proposals_are_few():
    grid = [(x, y, 8, 8) for x in range(12, 128, 25) for y in range(12, 128, 25)]
    assert len(proposals_on(*grid)) == MAX_PROPOSALS


def proposals_at(click: Click, *ellipses: tuple[int, int, int, int]) -> list[Roi]:
    outliner = NetworkOutliner(Brightness())
    proposals = outliner.propose(bright(*ellipses), WHOLE, click)
    return [proposal.roi for proposal in proposals]


def test_a_click_proposes_the_nodule_that_it_is_in():
    ellipses = ((30, 30, 10, 8), (80, 80, 30, 24))
    (small,) = proposals_at(Click(x=33, y=28), *ellipses)
    (large,) = proposals_at(Click(x=95, y=85), *ellipses)
    assert small.bounds.x == pytest.approx(20, abs=2)
    assert large.bounds.x == pytest.approx(50, abs=2)


def test_a_click_beside_a_nodule_means_it_and_one_far_from_all_means_none():
    nodule = (80, 80, 30, 24)
    assert proposals_at(Click(x=46, y=80), nodule)
    assert not proposals_at(Click(x=20, y=20), nodule)
    assert not proposals_at(Click(x=20, y=20))
    assert not proposals_at(Click(x=60, y=60), (60, 60, 2, 2))


def twin_nodules(seed: int) -> OutlineExample:
    """Draw a noisy picture with a bright nodule on the left and one on the right."""
    random = np.random.default_rng(seed)
    pixels = random.normal(60, 15, (64, 96))
    masks = []
    for middle in (24, 72):
        centre = (middle + int(random.integers(-5, 6)), 32)
        radii = random.integers(8, 14, 2).tolist()
        mask = np.zeros((64, 96), np.uint8)
        cv2.ellipse(mask, centre, radii, 0, 0, 360, 1, cv2.FILLED)
        pixels[mask > 0] += 90
        masks.append(mask > 0)
    return OutlineExample(pixels.clip(0, 255).astype(np.uint8), tuple(masks))


def test_the_network_learns_to_see_the_clicked_nodule_and_not_the_other():
    plan = replace(FINDING_PLAN, input_px=80, decoder=(8, 16), batch=4)
    outliner = NetworkOutliner(
        trained_network(plan, [twin_nodules(seed) for seed in range(24)])
    )
    unseen = twin_nodules(900)
    picture = Box(x=0, y=0, width=96, height=64)
    assert len(outliner.propose(unseen.pixels, picture)) == 2
    found_with_click = []
    for mask in unseen.masks:
        click = draw_click(mask, np.random.default_rng(0))
        window = Window.of_picture((0, 0, 96, 64), plan.input_px)
        log_odds = outliner.log_odds(unseen.pixels, window, window.click_prompt(click))
        placed = window.place(log_odds, width=96, height=64)
        found_with_click.append([placed[other].mean() > 0 for other in unseen.masks])
    assert found_with_click == [[True, False], [False, True]]


def test_an_outline_is_read_between_the_polygon_and_what_is_seen():
    pixels = bright((60, 64, 24, 18))
    outliner = NetworkOutliner(Brightness(log_odds=3))
    box = mask_box(pixels > 0)
    left, top, width, height = box
    corners = ((left, top), (left + width, top), (left, top + height))
    triangle = Roi(polygon=corners)
    read = outliner.trace(pixels, triangle).mask(WHOLE)
    from_box = outliner.trace(pixels, Roi(box=box)).mask(WHOLE)
    drawn = triangle.mask(WHOLE)
    assert dice(from_box, drawn) < dice(read, drawn) < 0.99


def test_a_box_always_has_an_outline(outliner):
    empty = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    roi = outliner.trace(empty, Roi(box=(40.0, 50.0, 30.0, 20.0)))
    assert roi.polygon is not None
    assert WHOLE.contains(roi.bounds)


def test_an_outline_stays_inside_the_picture(outliner, unseen):
    roi = outliner.trace(unseen[0].pixels, Roi(box=(-30.0, -20.0, 90.0, 80.0)))
    assert WHOLE.contains(roi.bounds)


def test_the_same_pictures_and_seed_train_the_same_network(outliner):
    assert pack_network(trained_network()) == pack_network(outliner.network)
