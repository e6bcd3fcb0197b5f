"""Limits of time and memory for one image in a sandbox process."""

from dataclasses import dataclass, field

from shared.imaging.limits import Limits


@dataclass(frozen=True)
class Bounds:
    """Limits for one image.

    `seconds` is wall-clock time. `memory_mib` is address space beyond what the process uses after
    its start. `limits` are the dimensions that are accepted.
    """

    seconds: float = 20.0
    memory_mib: int = 1024
    limits: Limits = field(default_factory=Limits)
