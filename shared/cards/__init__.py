"""A model's card as a page. The card itself is made from a bundle, by `shared.bundles.card`."""

from shared.cards.page import render

__all__ = ["render"]
