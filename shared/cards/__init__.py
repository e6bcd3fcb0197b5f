"""Renders a model card as a page. `shared.bundles.card` makes the card from a bundle."""

from shared.cards.page import render

__all__ = ["render"]
