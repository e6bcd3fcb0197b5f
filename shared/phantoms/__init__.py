"""Synthetic ultrasound images of thyroid nodules, drawn from the lexicon; for demonstration and tests only."""

from shared.phantoms.phantom import Phantom, draw

__all__ = ["Phantom", "draw"]
