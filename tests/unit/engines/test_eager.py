import pytest
import torch

from shared.engines import EagerEngine, Precision, open_engine


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


def test_the_default_engine_uses_float32_and_names_its_device():
    engine = open_engine()
    assert engine.device.startswith(("CPU, ", "CUDA, "))
    assert engine.precision is Precision.FP32
