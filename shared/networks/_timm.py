"""The one place that imports timm: it imports torchvision, whose operators have to be declared before."""

from shared.networks import _torchvision  # noqa: F401

# isort: split
from timm.models import inception_resnet_v2, legacy_xception

__all__ = ["inception_resnet_v2", "legacy_xception"]
