from pathlib import Path

from shared.networks import list_networks
from shared.networks.catalogue import catalogue

PAGE = Path(__file__).parents[3] / "docs" / "networks.md"


def test_the_page_is_what_the_cards_say():
    assert PAGE.read_text() == catalogue(list_networks()), (
        "run: python -m shared.networks.catalogue > docs/networks.md"
    )


def test_every_network_has_a_row_in_both_tables_with_its_files_and_licence():
    page = PAGE.read_text()
    for card in list_networks():
        assert page.count(f"\n| `{card.name}` |") == 2
        assert card.source in page
        assert card.weights is None or card.weights.licence in page
        assert card.weights is None or all(f"`{file}`" in page for file in card.weights.files)
