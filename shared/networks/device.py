"""The device that networks run on."""

import torch


def compute_device() -> torch.device:
    """Return the first CUDA device that this process can see, else the CPU.

    The variable CUDA_VISIBLE_DEVICES assigns a separate device to each worker.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name() -> str:
    """Return the device's name: the GPU's model, or the CPU with PyTorch's number of threads."""
    if compute_device().type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name()}"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
