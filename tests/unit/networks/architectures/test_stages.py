from collections import OrderedDict

import pytest
from torch import nn

from shared.networks.architectures.stages import (
    chain_layers,
    get_sequence,
    slice_stages,
)


def layers() -> nn.Sequential:
    parts = OrderedDict(
        conv1=nn.Conv2d(3, 4, 3),
        relu1=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        flat=nn.Flatten(),
    )
    return nn.Sequential(parts)


def test_stages_follow_one_another_and_keep_the_layers_names():
    stages = slice_stages(layers(), {"conv1": 2, "pool": 3})
    assert {
        name: [key for key, _ in stage.named_children()]
        for name, stage in stages.items()
    } == {
        "conv1": ["conv1", "relu1"],
        "pool": ["pool"],
    }


def test_a_chain_is_the_named_parts_themselves():
    module = layers()
    assert list(chain_layers(module, "pool", "conv1")) == [module.pool, module.conv1]


def test_a_part_that_is_not_there_is_an_error():
    with pytest.raises(AttributeError):
        chain_layers(layers(), "conv2")


def test_only_a_sequence_of_layers_can_be_cut():
    module = nn.Sequential(OrderedDict(features=layers(), head=nn.Linear(4, 2)))
    assert get_sequence(module, "features") is module.features
    assert get_sequence(module) is module
    with pytest.raises(TypeError, match="head is a Linear"):
        get_sequence(module, "head")
