"""The S3 bucket that an address names."""

from dataclasses import dataclass, field

REGION = "us-east-1"
TIMEOUT_S = 10.0
"""How long the server may send nothing. After this time the call fails without a retry."""


@dataclass(frozen=True)
class Bucket:
    """The address of a bucket and its credentials."""

    endpoint: str
    name: str
    key: str
    secret: str = field(repr=False)
    secure: bool = False
    region: str = REGION
    timeout_s: float = TIMEOUT_S
