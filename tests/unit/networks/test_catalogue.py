import subprocess
import sys
from pathlib import Path

from shared.networks import list_networks
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


def test_torchvisions_files_are_the_first_version_that_it_publishes():
    cards = {card.name: card for card in list_networks() if card.weights}
    torchvision_cards = {
        name: card
        for name, card in cards.items()
        if card.weights.licence == TORCHVISION_LICENCE
    }
    assert len(torchvision_cards) == 12
    for name, card in torchvision_cards.items():
        weights = models.get_model_weights(TORCHVISION_NAMES.get(name, name))
        assert card.weights.url == weights.IMAGENET1K_V1.url


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
