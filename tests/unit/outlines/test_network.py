from dataclasses import replace

import pytest
import torch

from shared.networks.errors import WeightsUnreadable
from shared.outlines import NetworkOutliner, OutlineNetwork, pack_network
from shared.outlines.window import BOX_MAP, CLICK_MAP, PROMPT_MAPS
from shared.recipes import OutlinePlan
from shared.recipes.errors import RecipeInvalid
from tests.support.outlines import PLAN

ENCODERS = [
    ("sera_tiny", "block4"),
    ("mobilenet_v2", "block17"),
    ("resnet18", "layer4"),
]


def plan_of(encoder: str, deepest: str) -> OutlinePlan:
    return OutlinePlan(encoder=encoder, deepest=deepest, frozen="")


@pytest.mark.parametrize(("encoder", "deepest"), ENCODERS)
def test_every_pixel_gets_an_answer(encoder, deepest):
    network = OutlineNetwork.untrained(plan_of(encoder, deepest)).eval()
    images = torch.rand(2, 1, 96, 64)
    with torch.inference_mode():
        log_odds = network(images, torch.zeros(2, PROMPT_MAPS, 96, 64))
    assert log_odds.shape == (2, 1, 96, 64)


def test_an_untrained_network_answers_what_the_prompt_says():
    network = OutlineNetwork.untrained(PLAN).eval()
    prompts = torch.zeros(3, PROMPT_MAPS, 64, 64)
    prompts[1, BOX_MAP, 16:48, 16:48] = 1
    prompts[2, CLICK_MAP, 30:34, 30:34] = 1
    with torch.inference_mode():
        without, with_box, with_click = network(torch.rand(3, 1, 64, 64), prompts)
    assert (without < 0).all()
    assert (with_box[0, 16:48, 16:48] > 0).all()
    assert (with_box[0, :16] < 0).all()
    assert (with_click[0, 30:34, 30:34] > 0).all()
    assert (with_click[0, :30] == without[0, :30]).all()


def test_saved_weights_give_the_same_network(outliner):
    network = outliner.network
    tensors = network.state_dict()
    copy = OutlineNetwork.from_tensors(PLAN, tensors)
    assert pack_network(copy) == pack_network(network)
    assert NetworkOutliner(copy).digest == outliner.digest


def test_weights_of_another_network_are_refused(outliner):
    with pytest.raises(WeightsUnreadable):
        OutlineNetwork.from_tensors(
            replace(PLAN, deepest="block3"), outliner.network.state_dict()
        )


@pytest.mark.parametrize(
    ("encoder", "deepest"), [("sera_tiny", "block9"), ("vgg16", "fc6")]
)
def test_an_encoder_ends_at_a_stage_with_maps(encoder, deepest):
    with pytest.raises(RecipeInvalid, match=r"outline\.deepest"):
        OutlineNetwork.untrained(plan_of(encoder, deepest))


def test_frozen_stages_and_their_statistics_stay():
    network = OutlineNetwork.untrained(PLAN)
    network.train_decoder(frozen="block2")
    is_trained = {
        name: next(stage.parameters()).requires_grad
        for name, stage in network.encoder.items()
    }
    assert is_trained == {
        "block1": False,
        "block2": False,
        "block3": True,
        "block4": True,
    }
    norms = [
        m for m in network.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)
    ]
    assert norms
    assert not any(norm.training for norm in norms)


def test_an_encoder_without_frozen_stages_learns_its_statistics_too():
    network = OutlineNetwork.untrained(PLAN)
    network.train_decoder(frozen="")
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(module.training for module in network.modules())


def test_a_plan_makes_the_decoder_smaller():
    small = OutlineNetwork.untrained(replace(PLAN, decoder=(4, 8)))
    usual = OutlineNetwork.untrained(PLAN)
    assert len(pack_network(small)) < len(pack_network(usual)) / 2
    with pytest.raises(WeightsUnreadable):
        OutlineNetwork.from_tensors(PLAN, small.state_dict())
