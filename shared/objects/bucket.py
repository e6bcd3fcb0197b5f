"""An S3 bucket as an address names it."""

from dataclasses import dataclass, field

REGION = "us-east-1"
TIMEOUT_S = 10.0
"""How long the server may be silent; more than one such silence is not waited for, so a call ends soon after."""


@dataclass(frozen=True)
class Bucket:
    """Where the bucket is and how to get in."""

    endpoint: str
    name: str
    key: str
    secret: str = field(repr=False)
    secure: bool = False
    region: str = REGION
    timeout_s: float = TIMEOUT_S
