"""Where a tuned network looked: Grad-CAM (Selvaraju et al., ICCV 2017)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.networks.card import REGION_POOLS
from shared.networks.pooling import nodule_regions, pool_maps
from shared.networks.tapped import TapNetwork, log_odds


@dataclass(frozen=True, eq=False)
class ClassActivation:
    """`values` (h, w) float32, 0 or more: what speaks for malignancy at each place of the maps after `layer`."""

    layer: str
    values: NDArray[np.float32]


def grad_cam(network: TapNetwork, pixels: NDArray[np.float32]) -> ClassActivation:
    """Grad-CAM of a tuned network's own verdict.

    The maps A_k are those of the last stage that has any and that the head is reached by. Their weights are the means
    over all places of the gradient of the log-odds of malignant; the map is ReLU(sum over k of weight_k A_k).
    It needs gradients, so PyTorch computes it on the network's own device, whatever engine runs the network.

    Parameters
    ----------
    network : with a head
    pixels : (1, 3 or 4, S, S) float32 as `TapNetwork.forward` takes it
    """
    image = torch.from_numpy(pixels).to(network.device)
    place, maps = _last_maps(network, image)
    with torch.enable_grad():
        maps.requires_grad_()
        (slopes,) = torch.autograd.grad(_verdict(network, image, place, maps), maps)
    cam = (slopes.mean((2, 3), keepdim=True) * maps.detach()).sum(1).relu()
    return ClassActivation(list(network.layers)[place], cam[0].cpu().numpy())


def _last_maps(network: TapNetwork, image: Tensor) -> tuple[int, Tensor]:
    """The number of the last stage with more than one place, up to the embedding's, and what it gave."""
    found: tuple[int, Tensor] | None = None
    reached = image[:, :3]
    with torch.no_grad():
        for place, (stage, layer) in enumerate(network.layers.items()):
            reached = layer(reached)
            if reached.ndim == 4 and reached.shape[2] * reached.shape[3] > 1:
                found = place, reached.clone()  # a layer behind it may work in place
            if stage == network.embedding.stage:
                break
    if found is None:
        raise ValueError(f"no stage of {network.card.name} gives maps")
    return found


def _verdict(network: TapNetwork, image: Tensor, place: int, maps: Tensor) -> Tensor:
    """Log-odds of malignant () from the maps after a stage."""
    if network.head is None:
        raise ValueError(f"{network.card.name} is not tuned, so it has no verdict")
    stages = list(network.layers.items())
    reached = maps.clone()
    last = [name for name, _ in stages].index(network.embedding.stage)
    for _, layer in stages[place + 1 : last + 1]:
        reached = layer(reached)
    regions = (
        nodule_regions(image[:, 3:]) if network.embedding.pool in REGION_POOLS else {}
    )
    return log_odds(
        network.head(pool_maps(reached, network.embedding.pool, regions))
    ).sum()
