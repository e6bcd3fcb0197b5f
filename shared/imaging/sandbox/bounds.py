"""What one image may take of a process of the sandbox."""

from dataclasses import dataclass, field

from shared.imaging.limits import Limits


@dataclass(frozen=True)
class Bounds:
    """Seconds of the clock, and address space beyond what a process has when it starts."""

    seconds: float = 20.0
    memory_mib: int = 1024
    limits: Limits = field(default_factory=Limits)
