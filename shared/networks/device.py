"""Where networks run."""

import torch


def compute_device() -> torch.device:
    """The first CUDA device this process may see, else the CPU; CUDA_VISIBLE_DEVICES gives each worker its own."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
