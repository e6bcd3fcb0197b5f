"""The only module that imports timm.

timm imports torchvision, whose operators have to be declared first.
"""

from shared.networks import _torchvision  # noqa: F401

# isort: split
from timm import create_model
from timm.layers.pos_embed import resample_abs_pos_embed

__all__ = ["create_model", "resample_abs_pos_embed"]
