"""Builds the networks of torchvision and timm, and names torchvision's weight files.

Each library is imported when one of its networks is first built. Each library takes longer to
import than PyTorch itself, and most processes need at most one of them.
"""

from torch import Tensor, nn

from shared.networks.card import WeightsSource

TORCHVISION_LICENCE = (
    "BSD-3-Clause (torchvision); "
    "trained on ImageNet-1k, whose terms limit it to research"
)


def torchvision_network(name: str, **options: bool) -> nn.Module:
    """Return a network by its name in torchvision, with random weights."""
    from shared.networks._torchvision import models

    return models.get_model(name, weights=None, **options)


def torchvision_weights(file: str, *alternative_names: str) -> WeightsSource:
    """Return a weight file that torchvision publishes; files of `alternative_names` are preferred.

    It is the first version of the weights. The papers used networks that were trained as their
    authors did, and not by torchvision's later training recipes. `resnet50_v2` alone has the
    second version.
    """
    return WeightsSource(
        files=(*alternative_names, file),
        url=f"https://download.pytorch.org/models/{file}",
        licence=TORCHVISION_LICENCE,
    )


def timm_network(name: str, *, input_px: int | None = None) -> nn.Module:
    """Return a network by its name in timm, with random weights.

    `input_px` is the side of its input, for transformers, which are built for one.
    """
    from shared.networks._timm import create_model

    if input_px is None:
        return create_model(name, pretrained=False)
    return create_model(name, pretrained=False, img_size=input_px)


def resample_positions(positions: Tensor, side: int) -> Tensor:
    """Return a vision transformer's position embeddings for a grid of another size, as timm does.

    Parameters
    ----------
    positions : (1, 1 + H W, C), the class token's first
    side : of the new grid

    Returns
    -------
    (1, 1 + side^2, C)
    """
    from shared.networks._timm import resample_abs_pos_embed

    resampled: Tensor = resample_abs_pos_embed(positions, [side, side])
    return resampled
