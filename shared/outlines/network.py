"""The outline network: a U-Net on the encoder of a pre-trained network, with a prompt."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Self

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.networks import NetworkCard, WeightsFinder, get_network, pretrained_stages
from shared.networks.errors import WeightsUnreadable
from shared.networks.registry import build_without_weights
from shared.outlines.window import BOX_MAP, CLICK_MAP, PROMPT_MAPS
from shared.recipes import OutlinePlan
from shared.recipes.errors import RecipeInvalid

PRIOR_WEIGHT = 6.0
"""Initial log-odds at the middle of a box. Training changes it."""
NO_PROMPT_LOG_ODDS = -1.0
"""The same of every pixel without a box: most of a picture is no nodule."""
CLICK_WEIGHT = 2.0
"""What a click adds to the log-odds of its pixel at first. Training changes it."""
PROBE_PX = 64


class OutlineNetwork(nn.Module):
    """Gives each pixel's log-odds of belonging to the nodule.

    The decoder joins the encoder's maps of each scale, as in U-Net (Ronneberger et al. 2015), with
    the prompt. It corrects what the prompt alone says: an ellipse inside the box, or a disc around
    the click.

    Parameters
    ----------
    card : the encoder's card
    stages : the encoder's layers by stage
    plan : has the channels of the decoder, and the side of the input

    Attributes
    ----------
    input_px : side of the input around a box
    """

    def __init__(
        self,
        card: NetworkCard,
        stages: OrderedDict[str, nn.Module],
        plan: OutlinePlan,
    ) -> None:
        super().__init__()
        self.card = card
        self.input_px = plan.input_px
        self.encoder = nn.ModuleDict(stages)
        self._skips = _last_stages_by_scale(stages)
        channels = list(self._skips.values())
        widths = [
            _decoder_width(plan.decoder, level) for level in range(len(channels) - 1)
        ]
        below = [*widths[1:], channels[-1]]
        self.decoder = nn.ModuleList(
            _DecoderBlock(channels_below=deeper, channels_skip=skip, width=width)
            for deeper, skip, width in zip(below, channels, widths, strict=False)
        )
        self.head = nn.Conv2d(widths[0], 1, kernel_size=1, bias=False)
        nn.init.zeros_(self.head.weight)
        self.prior_weight = nn.Parameter(torch.tensor(PRIOR_WEIGHT))
        self.click_weight = nn.Parameter(torch.tensor(CLICK_WEIGHT))
        self._mean = torch.tensor(card.normalisation.mean)[:, None, None]
        self._std = torch.tensor(card.normalisation.std)[:, None, None]

    @classmethod
    def pretrained(cls, plan: OutlinePlan, finder: WeightsFinder) -> Self:
        """Return a network with a pre-trained encoder; an untrained one if it has no weights.

        Raises `NetworkUnknown`, `WeightsMissing`, `WeightsUnreadable`.
        """
        card = get_network(plan.encoder).card
        if card.weights is None:
            return cls.untrained(plan)
        stages = pretrained_stages(plan.encoder, finder)
        return cls(card, _stages_up_to(plan.deepest, stages), plan)

    @classmethod
    def untrained(cls, plan: OutlinePlan) -> Self:
        """Return a network with random weights. Raises `NetworkUnknown`."""
        definition = get_network(plan.encoder)
        stages = definition.stages(definition.build())
        return cls(definition.card, _stages_up_to(plan.deepest, stages), plan)

    @classmethod
    def from_tensors(cls, plan: OutlinePlan, tensors: Mapping[str, Tensor]) -> Self:
        """Build a network from its `state_dict`.

        Raises `NetworkUnknown`, and `WeightsUnreadable` if names or shapes differ.
        """
        definition = get_network(plan.encoder)
        stages = definition.stages(build_without_weights(definition))
        network = cls(definition.card, _stages_up_to(plan.deepest, stages), plan)
        try:
            network.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise WeightsUnreadable(
                file="outline", network=plan.encoder, problem=str(error).splitlines()[0]
            ) from error
        return network.eval().requires_grad_(False)

    def train_decoder(self, frozen: str) -> None:
        """Switch to training: all layers after the stage `frozen`; batch norm of the encoder
        keeps its statistics. If `frozen` is empty, everything is trained.
        """
        self.train().requires_grad_(True)
        if not frozen:
            return
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        for name, stage in self.encoder.items():
            stage.requires_grad_(False)
            if name == frozen:
                return

    def forward(self, images: Tensor, prompts: Tensor) -> Tensor:
        """Return the log-odds (N, 1, H, W).

        Parameters
        ----------
        images : (N, 1, H, W) grey, 0 to 1
        prompts : (N, 2, H, W), a map for a box and one for a click, 0 everywhere without them.
            The box's: 1 at its middle, 0.5 on the ellipse inside it, 0 from twice its radii on.
            The click's: 1 at the point, 0 at a fixed distance, -1 from twice that on, so that
            everything else knows that something else is meant
        """
        skips = self._encode(images)
        maps = skips.pop()
        for block, skip in zip(reversed(self.decoder), reversed(skips), strict=True):
            maps = block(maps, skip, prompts)
        correction = F.interpolate(
            self.head(maps),
            size=images.shape[-2:],
            mode="bilinear",
            align_corners=False,
        )
        return correction + self._prior(prompts)

    def _encode(self, images: Tensor) -> list[Tensor]:
        """Return the encoder's maps of each scale, from the finest."""
        maps = (images - self._mean.to(images.device)) / self._std.to(images.device)
        maps_by_scale = []
        for name, stage in self.encoder.items():
            maps = stage(maps)
            if name in self._skips:
                maps_by_scale.append(maps)
        return maps_by_scale

    def _prior(self, prompts: Tensor) -> Tensor:
        boxes = prompts[:, BOX_MAP : BOX_MAP + 1]
        clicks = prompts[:, CLICK_MAP : CLICK_MAP + 1]
        has_box = boxes.amax((1, 2, 3), keepdim=True) > 0
        inside_box = self.prior_weight * (2 * boxes - 1)
        around_click = NO_PROMPT_LOG_ODDS + self.click_weight * clicks
        return torch.where(has_box, inside_box, around_click)


def pack_network(network: OutlineNetwork) -> bytes:
    """Return the network's weights as a safetensors file."""
    tensors = {
        name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()
    }
    return safetensors.torch.save(tensors)


class _DecoderBlock(nn.Module):
    """Joins maps of a deeper scale, the prompt and the encoder's maps of this scale."""

    def __init__(self, channels_below: int, channels_skip: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels_below + PROMPT_MAPS + channels_skip, width),
            *_convolution(width, width),
        )

    def forward(self, below: Tensor, skip: Tensor, prompts: Tensor) -> Tensor:
        height, width = below.shape[-2:]
        prompt = F.adaptive_avg_pool2d(prompts, (height, width))
        maps = torch.cat([below, prompt], dim=1)
        maps = F.interpolate(
            maps, size=skip.shape[-2:], mode="bilinear", align_corners=False
        )
        joined: Tensor = self.layers(torch.cat([maps, skip], dim=1))
        return joined


def _convolution(channels: int, width: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def _decoder_width(channels: tuple[int, ...], level: int) -> int:
    return channels[min(level, len(channels) - 1)]


def _stages_up_to(
    deepest: str, stages: OrderedDict[str, nn.Module]
) -> OrderedDict[str, nn.Module]:
    names = list(stages)
    if deepest not in names:
        raise RecipeInvalid(
            key="outline.deepest",
            problem=f"{deepest!r} is no stage of the encoder; known are {', '.join(names)}",
        )
    return OrderedDict(
        (name, stages[name]) for name in names[: names.index(deepest) + 1]
    )


def _last_stages_by_scale(stages: OrderedDict[str, nn.Module]) -> dict[str, int]:
    """Return the last stage of each scale, from the finest, with its number of channels."""
    device = next(stages[next(iter(stages))].parameters()).device
    maps = torch.zeros(1, 3, PROBE_PX, PROBE_PX, device=device)
    last_by_side: dict[int, tuple[str, int]] = {}
    with torch.no_grad():
        for name, stage in stages.items():
            is_training = stage.training
            maps = stage.eval()(maps)
            stage.train(is_training)
            if maps.dim() != 4:
                raise RecipeInvalid(
                    key="outline.deepest",
                    problem=f"{name!r} gives no picture, so no outline can be read from it",
                )
            last_by_side[maps.shape[-1]] = (name, maps.shape[1])
    return dict(last_by_side.values())
