"""What can be wrong with a study's input: each a named error whose sentence says what to do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.engines import EagerEngine
from shared.errors import SeraError
from shared.imaging import Framing, ImageFormat, Roi, UltrasoundImage, crop
from shared.learning import TrainingContext, check_no_shared_groups, phantom_samples
from shared.learning.features.cache import NoCache
from shared.learning.features.extractors import NetworkExtractor
from shared.networks import TapNetwork, WeightsFinder, get_network
from shared.recipes import NetworkFeatures, read_recipe
from tests.support.builders import SMALL_RECIPE

BY_FORMULA = read_recipe({**SMALL_RECIPE, "features": [{"families": ["shape"]}]})
NOWHERE = WeightsFinder(None, Path("nowhere"), download=False)


def an_empty_mask() -> None:
    Roi.from_mask(np.zeros((40, 40), bool))


def a_roi_of_one_pixel() -> None:
    mask = np.zeros((40, 40), bool)
    mask[20, 20] = True
    Roi.from_mask(mask)


def a_constant_image() -> None:
    crop(UltrasoundImage(np.full((64, 64), 90, np.uint8), ImageFormat.PNG), None)


def a_single_class() -> None:
    TrainingContext(
        [replace(s, malignant=True) for s in phantom_samples(8, 0)],
        BY_FORMULA,
        NOWHERE,
        NoCache(),
        0,
    )


def a_patient_on_both_sides() -> None:
    first, second = (replace(sample, patient="7") for sample in phantom_samples(2, 0))
    check_no_shared_groups([first], [second])


def features_that_are_no_numbers() -> None:
    definition = get_network("sera_tiny")
    module = definition.build()
    with torch.no_grad():
        next(module.parameters()).fill_(torch.nan)
    network = TapNetwork(definition.card, definition.stages(module), ["avg"])
    extractor = NetworkExtractor(
        NetworkFeatures("sera_tiny", ("avg",)), network, EagerEngine()
    )
    extractor.compute([extractor.prepare(phantom_samples(1, 0)[0].load(Framing(0.1)))])


@pytest.mark.parametrize(
    ("fault", "code", "next_step"),
    [
        (an_empty_mask, "roi-invalid", "Send"),
        (a_roi_of_one_pixel, "roi-too-small", "Outline the nodule"),
        (a_constant_image, "image-blank", "Send the ultrasound image itself"),
        (a_single_class, "single-class", "Add images of the other class"),
        (
            a_patient_on_both_sides,
            "group-on-both-sides",
            "Put all images of a patient on one side",
        ),
        (
            features_that_are_no_numbers,
            "features-not-finite",
            "Outline the nodule again",
        ),
    ],
)
def test_bad_input_is_a_named_error_that_says_what_to_do(
    fault: Callable[[], None], code: str, next_step: str
):
    with pytest.raises(SeraError, match=next_step) as caught:
        fault()
    assert caught.value.code == code


def test_a_weight_file_of_wrong_shapes_is_named(tmp_path):
    state = get_network("squeezenet").build().state_dict()
    state["features.0.weight"] = torch.zeros(3, 3)
    torch.save(state, tmp_path / "squeezenet1_1.pth")
    with pytest.raises(SeraError, match=r"squeezenet1_1\.pth.*networks\.md") as caught:
        TapNetwork.pretrained(
            "squeezenet", ["avg"], WeightsFinder(tmp_path, tmp_path, download=False)
        )
    assert caught.value.code == "weights-unreadable"
