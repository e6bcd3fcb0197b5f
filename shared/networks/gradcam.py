"""Grad-CAM: which places of the image a tuned network's output depends on.

Source: Selvaraju et al., ICCV 2017.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.networks.card import REGION_POOLS
from shared.networks.pooling import nodule_regions, pool_maps, spatial_maps
from shared.networks.tapped import TapNetwork, log_odds


@dataclass(frozen=True, eq=False)
class ClassActivation:
    """The evidence for malignancy at each place of the maps after `layer`.

    `values` (h, w) are float32, 0 or more.
    """

    layer: str
    values: NDArray[np.float32]


def grad_cam(network: TapNetwork, pixels: NDArray[np.float32]) -> ClassActivation:
    """Return Grad-CAM of a tuned network's own log-odds.

    The maps A_k are the output of the last stage, up to the embedding, that has more than one
    place; the patch tokens of a vision transformer count as maps. Their weights are the means over
    all places of the gradient of the log-odds of malignant. The result is
    ReLU(sum over k of weight_k A_k). It needs gradients, so PyTorch computes it on the network's
    own device, and the engine that runs the network is not used.

    Parameters
    ----------
    network : a tuned network, which has a head
    pixels : (1, 3 or 4, S, S) float32, the input of `TapNetwork.forward`
    """
    image = torch.from_numpy(pixels).to(network.device)
    stage_index, maps = _last_maps(network, image)
    with torch.enable_grad():
        maps.requires_grad_()
        output = _log_odds_from_maps(network, image, stage_index, maps)
        (gradients,) = torch.autograd.grad(output, maps)
    weights = spatial_maps(gradients).mean((2, 3), keepdim=True)
    activation = (weights * spatial_maps(maps.detach())).sum(1).relu()
    return ClassActivation(
        layer=list(network.layers)[stage_index], values=activation[0].cpu().numpy()
    )


def _last_maps(network: TapNetwork, image: Tensor) -> tuple[int, Tensor]:
    """Return index and output of the last stage, up to the embedding, with more than one place."""
    result: tuple[int, Tensor] | None = None
    output = image[:, :3]
    with torch.no_grad():
        for index, (stage, layer) in enumerate(network.layers.items()):
            output = layer(output)
            if output.ndim > 2 and spatial_maps(output)[0, 0].numel() > 1:
                result = (index, output.clone())  # a later layer may work in place
            if stage == network.embedding.stage:
                break
    if result is None:
        raise ValueError(f"no stage of {network.card.name} gives maps")
    return result


def _log_odds_from_maps(
    network: TapNetwork, image: Tensor, stage_index: int, maps: Tensor
) -> Tensor:
    """Return the log-odds of malignant () from the maps after a stage."""
    if network.head is None:
        raise ValueError(f"{network.card.name} is not tuned, so it has no log-odds")
    embedding = network.embedding
    embedding_index = list(network.layers).index(embedding.stage)
    layers = list(network.layers.values())
    output = maps.clone()
    for layer in layers[stage_index + 1 : embedding_index + 1]:
        output = layer(output)
    regions = nodule_regions(image[:, 3:]) if embedding.pool in REGION_POOLS else {}
    classes = network.head(pool_maps(output, embedding.pool, regions))
    return log_odds(classes).sum()
