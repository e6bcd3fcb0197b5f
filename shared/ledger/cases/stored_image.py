"""What the rows of cases and previews say about their image."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """A cleaned image in the object store."""

    image_sha256: str
    image_bytes: int
    image_format: str
    width: int
    height: int
    """In pixels of the upright image."""
    device: str | None
    """Make and model of the scanner, if the file names them."""
    removed: dict[str, int]
    """Counts of the elements that cleaning removed from the image, by their standard names.
    Never a value."""
    findings: list[dict[str, Any]]
    """What the cleaned image no longer shows about the original; each from `Finding.to_json`."""
