"""DINOv2, a vision transformer that was trained without labels."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from shared.networks.architectures.stages import get_sequence
from shared.networks.card import IMAGENET, NetworkCard, WeightsSource, token_taps
from shared.networks.libraries import resample_positions, timm_network
from shared.networks.registry import register_network

_INPUT_PX = 224
_PATCH_PX = 14
_BLOCKS_PER_STAGE = 3
_STAGE_CHANNELS = {"block3": 384, "block6": 384, "block9": 384, "block12": 384}


class _Tokens(nn.Module):
    """The first layer: images (N, 3, S, S) -> class token and patch tokens (N, 1 + H W, C)."""

    def __init__(
        self, patches: nn.Module, class_token: nn.Parameter, positions: nn.Parameter
    ) -> None:
        super().__init__()
        self.patches = patches
        self.class_token = class_token
        self.positions = positions

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images)
        class_tokens = self.class_token.expand(len(patches), -1, -1)
        return torch.cat([class_tokens, patches], dim=1) + self.positions


def _fit_weight_file(module: nn.Module, tensors: dict[str, Tensor], *_: object) -> None:
    """Fit the names and sizes in the publisher's file to the network.

    The file has a mask token, which is for training only, and positions for inputs of 518 x 518.
    """
    tensors.pop("mask_token", None)
    if "pos_embed" in tensors:
        tensors["pos_embed"] = resample_positions(
            tensors["pos_embed"], _INPUT_PX // _PATCH_PX
        )


@register_network
class DinoV2Small:
    """timm's `vit_small_patch14_dinov2`: ViT-S/14, distilled from DINOv2's largest network.

    The input has 224 x 224 pixels, the size of the paper's linear evaluation, which gives
    16 x 16 patches. The tokens after the last block have passed the final layer norm. It has no
    fully connected layer of its own. The embedding is the mean of the patch tokens, so that a tuned
    network has places for a map of its evidence.
    """

    card = NetworkCard(
        name="dinov2_vits14",
        input_px=_INPUT_PX,
        normalisation=IMAGENET,
        taps=token_taps(_STAGE_CHANNELS),
        embedding="avg",
        weights=WeightsSource(
            files=(
                "dinov2_vits14.pth",
                "dinov2_vits14.safetensors",
                "dinov2_vits14_pretrain.pth",
            ),
            url=(
                "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14"
                "/dinov2_vits14_pretrain.pth"
            ),
            licence=(
                "Apache-2.0 (Meta); trained on LVD-142M, images from the web and from "
                "public data sets, which is not published"
            ),
            sha256="b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
        ),
        source="Oquab et al. 2023, arXiv:2304.07193",
    )

    @staticmethod
    def build() -> nn.Module:
        module = timm_network("vit_small_patch14_dinov2", input_px=_INPUT_PX)
        module.register_load_state_dict_pre_hook(_fit_weight_file)
        return module

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        blocks = get_sequence(module, "blocks")
        stages: OrderedDict[str, nn.Module] = OrderedDict(
            tokens=_Tokens(
                patches=module.get_submodule("patch_embed"),
                class_token=module.get_parameter("cls_token"),
                positions=module.get_parameter("pos_embed"),
            )
        )
        for end, name in enumerate(_STAGE_CHANNELS, 1):
            stages[name] = blocks[
                (end - 1) * _BLOCKS_PER_STAGE : end * _BLOCKS_PER_STAGE
            ]
        stages["block12"] = nn.Sequential(
            stages["block12"], module.get_submodule("norm")
        )
        return stages
