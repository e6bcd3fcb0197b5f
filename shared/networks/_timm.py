"""The one place that imports timm: it imports torchvision, whose operators have to be declared before."""

from shared.networks import _torchvision  # noqa: F401

# isort: split
from timm import create_model

__all__ = ["create_model"]
