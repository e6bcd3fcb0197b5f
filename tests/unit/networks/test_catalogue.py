import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared.networks import get_network, list_networks
from shared.networks._torchvision import models
from shared.networks.catalogue import render_catalogue
from shared.networks.libraries import TORCHVISION_LICENCE

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "networks.md"


def test_the_page_is_up_to_date_with_the_cards():
    assert PAGE.read_text() == render_catalogue(list_networks()), (
        "run: python -m shared.networks.catalogue > docs/networks.md"
    )


def test_every_network_has_a_row_in_both_tables_with_its_files_and_licence():
    page = PAGE.read_text()
    for card in list_networks():
        assert page.count(f"\n| `{card.name}` |") == 2
        assert card.source in page
        assert card.weights is None or card.weights.licence in page
        assert card.weights is None or all(
            f"`{file}`" in page for file in card.weights.files
        )


TORCHVISION_NAMES = {
    "alexnet_owt": "alexnet",
    "shufflenet": "shufflenet_v2_x1_0",
    "squeezenet": "squeezenet1_1",
}
"""Names at torchvision that differ from ours."""


SECOND_VERSIONS = {"resnet50_v2": "resnet50"}
"""Networks with torchvision's later weights, and their names at torchvision."""


def test_torchvisions_files_are_the_first_version_that_it_publishes_unless_named():
    cards = {card.name: card for card in list_networks() if card.weights}
    torchvision_cards = {
        name: card
        for name, card in cards.items()
        if card.weights.licence == TORCHVISION_LICENCE
    }
    assert len(torchvision_cards) == 16
    for name, card in torchvision_cards.items():
        if name in SECOND_VERSIONS:
            weights = models.get_model_weights(SECOND_VERSIONS[name]).IMAGENET1K_V2
        else:
            own_name = TORCHVISION_NAMES.get(name, name)
            weights = models.get_model_weights(own_name).IMAGENET1K_V1
        assert card.weights.url == weights.url


@pytest.mark.parametrize(
    ("name", "timm_name"),
    [
        ("dinov2_vits14", "vit_small_patch14_dinov2.lvd142m"),
        ("efficientnet_lite0", "efficientnet_lite0.ra_in1k"),
    ],
)
def test_a_card_of_timm_has_the_address_normalisation_and_licence_that_timm_states(
    name, timm_name
):
    from timm.models import get_pretrained_cfg  # after torchvision's operators

    card = get_network(name).card
    published = get_pretrained_cfg(timm_name)
    assert card.weights.url == published.url
    assert card.weights.licence.lower().startswith(published.license)
    assert (card.normalisation.mean, card.normalisation.std) == (
        published.mean,
        published.std,
    )


def test_every_card_states_the_data_behind_its_weights():
    cards = [card for card in list_networks() if card.weights]
    unnamed = {
        card.name
        for card in cards
        if not re.search(r"trained on|research", card.weights.licence)
    }
    assert unnamed == set()


def test_torchvision_and_timm_are_not_imported_before_one_of_their_networks_is_built():
    program = (
        "import sys; from shared.networks import build_without_weights, get_network; "
        "build_without_weights(get_network('sera_tiny')); "
        "print({'torchvision', 'timm', 'torch._dynamo'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "set()\n"
