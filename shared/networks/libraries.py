"""Networks that torchvision and timm build, and where torchvision publishes their weights.

Both libraries are imported when one of their networks is first built: with what they import in turn they take longer
than PyTorch itself, and most processes build networks of one of them, or of neither.
"""

from torch import nn

from shared.networks.card import WeightsSource

TORCHVISION_LICENCE = "BSD-3-Clause (torchvision); trained on ImageNet-1k, whose terms limit it to research"


def torchvision_network(name: str, **options: bool) -> nn.Module:
    """A network of torchvision's, by its name there, with random weights."""
    from shared.networks._torchvision import models

    return models.get_model(name, weights=None, **options)


def torchvision_weights(file: str, *more_names: str) -> WeightsSource:
    """A file that torchvision publishes, looked for under `more_names` first.

    Always the first version of the weights: the papers' features come from networks trained as their authors did, not
    by torchvision's later recipes.
    """
    url = f"https://download.pytorch.org/models/{file}"
    return WeightsSource((*more_names, file), url, TORCHVISION_LICENCE)


def timm_network(name: str) -> nn.Module:
    """A network of timm's, by its name there, with random weights."""
    from shared.networks._timm import create_model

    return create_model(name, pretrained=False)
