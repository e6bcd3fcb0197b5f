"""Synthetic ultrasound images of thyroid nodules, for demonstration and tests only.

They are drawn from terms of the lexicon.
"""

from shared.phantoms.phantom import Phantom, draw

__all__ = ["Phantom", "draw"]
