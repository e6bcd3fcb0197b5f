"""Reads files of torch tensors by name, without running code from the file."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

_DAMAGED_FILE_ERRORS = (
    RuntimeError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
)


def read_pth(file: Path, module: nn.Module) -> Mapping[str, Tensor]:
    """Read the format of `torch.save`, tensors only."""
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
    except _DAMAGED_FILE_ERRORS as error:
        raise ValueError(f"not a file of tensors: {error}") from error
    if not isinstance(tensors, Mapping):
        raise ValueError("not tensors by name")
    if not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise ValueError("not tensors by name")
    return tensors


def read_safetensors(file: Path, module: nn.Module) -> Mapping[str, Tensor]:
    """Read the format of timm's files."""
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(f"not a safetensors file: {error}") from error
