"""Writes docs/networks.md from the cards.

The command is `python -m shared.networks.catalogue > docs/networks.md`.
"""

import sys
from collections.abc import Iterable

from shared.networks.card import MAP_POOLS, NetworkCard, Pool
from shared.networks.registry import list_networks

POOLED_TAP_NAMES = ", ".join(f"`STAGE.{pool}`" for pool in MAP_POOLS)
INTRODUCTION = f"""# Networks

Written from the cards in `shared/networks` by `python -m shared.networks.catalogue`; do not edit by
hand.

A tap is a place in the network where features are read. A stage of convolutions has the taps
{POOLED_TAP_NAMES}
(over the whole crop, its middle half, the nodule, its rim, the tissue around it). The taps of the
last such stage are also called `{Pool.AVERAGE}` and so on, without the stage. A fully connected
layer is one tap, under its own name. A vision transformer's patch tokens are pooled like a map;
its class token is `STAGE.{Pool.CLASS}`. The embedding is the tap before the network's last fully
connected layer; tuning puts its layer of two classes there.

"""
WEIGHTS_SECTION = """
## Weight files

SERA looks for each name in this order in `SERA_WEIGHTS_DIR`, then among earlier downloads, and then
downloads. The ending gives the format: `.pth` is a state dict saved by torch, `.safetensors` one
saved by safetensors, `.mat` a MatConvNet file. OverFeat's `net_weight_1` (in the archive of its
release, github.com/sermanet/OverFeat) has no ending. torchvision's files are used unchanged. The
licence is the weights', not SERA's.

"""


def render_catalogue(cards: Iterable[NetworkCard]) -> str:
    """Render the page in Markdown."""
    cards = list(cards)
    networks = _table(
        ("name", "input", "embedding", "stages with taps", "source"),
        map(_network, cards),
    )
    weights = _table(
        ("name", "files looked for", "downloaded from", "licence"), map(_weights, cards)
    )
    return INTRODUCTION + networks + WEIGHTS_SECTION + weights


def _network(card: NetworkCard) -> tuple[str, ...]:
    stages = dict.fromkeys(tap.stage for tap in card.taps.values())
    return (
        f"`{card.name}`",
        f"{card.input_px} x {card.input_px}",
        f"`{card.embedding}`",
        _codes(stages),
        card.source,
    )


def _weights(card: NetworkCard) -> tuple[str, ...]:
    if card.weights is None:
        return f"`{card.name}`", "none: trained from nothing", "", ""
    return (
        f"`{card.name}`",
        _codes(card.weights.files),
        card.weights.url or "no address known",
        card.weights.licence,
    )


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(render_catalogue(list_networks()))
