import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.engines import EagerEngine, Precision, open_engine
from shared.networks import TapNetwork, get_network, new_head


@pytest.fixture
def network() -> TapNetwork:
    torch.manual_seed(0)
    definition = get_network("sera_tiny")
    stages = definition.stages(definition.build())
    return TapNetwork(
        definition.card, stages, ("block3.avg", "avg"), new_head(definition.card)
    )


@pytest.fixture
def images(network) -> NDArray[np.float32]:
    side = network.card.input_px
    return np.random.default_rng(0).normal(size=(5, 3, side, side)).astype(np.float32)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 9, None])
def test_features_are_those_of_the_network_whatever_the_batch_size(
    network, images, batch_size
):
    expected = network(torch.from_numpy(images)).numpy()
    features = EagerEngine().compile(network, batch_size=batch_size).run(images)
    assert features.shape == (5, network.width)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("batch_size", "passes"),
    [
        (2, [2, 2, 1]),
        (9, [5]),
        pytest.param(
            None,
            [4, 1],
            marks=pytest.mark.skipif(
                torch.cuda.is_available(), reason="a GPU takes all at once"
            ),
        ),
    ],
)
def test_a_pass_has_no_more_images_than_the_batch_size(
    network, images, batch_size, passes
):
    sizes = []
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    EagerEngine().compile(network, batch_size=batch_size).run(images)
    assert sizes == passes


def test_the_caller_may_change_the_returned_features(network, images):
    compiled = EagerEngine().compile(network)
    first = compiled.run(images)
    expected = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(compiled.run(images), expected)


def test_the_default_engine_uses_float32_and_names_its_device():
    engine = open_engine()
    assert engine.device.startswith(("CPU, ", "CUDA, "))
    assert engine.precision is Precision.FP32
