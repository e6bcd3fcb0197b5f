"""The only module that imports torchvision.

torchvision 0.28's compiled operators do not load into torch 2.13's CPU build, and its Python code
then fails while it looks two of them up. If the two operators are declared first, its models load.
This project never calls the operators.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _has_compiled_operators() -> bool:
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return False
    try:
        torch.ops.load_library(Path(spec.submodule_search_locations[0]) / "_C.so")
    except OSError:
        return False
    return True


def _declare_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    return library


# The operators disappear when the library object is garbage-collected, so this reference is kept.
_DECLARED = None if _has_compiled_operators() else _declare_operators()

from torchvision import models  # noqa: E402

__all__ = ["models"]
