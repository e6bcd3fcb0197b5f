"""Fetching a weight file so that either all of it is there, checked, or nothing."""

import hashlib
import os
import re
import tempfile
import urllib.request
from pathlib import Path

from shared.networks.card import WeightsSource

DOWNLOAD_TIMEOUT_S = 30.0
BLOCK_BYTES = 1 << 20
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


def download(weights: WeightsSource, target: Path) -> None:
    """Fetch to a neighbour, check it, then rename into place; raises `OSError`, `ValueError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
        try:
            _fetch(weights, Path(part.name))
            os.replace(part.name, target)
        finally:
            Path(part.name).unlink(missing_ok=True)


def _fetch(weights: WeightsSource, part: Path) -> None:
    """Copy, and compare with the length announced, the SHA-256 torchvision puts into its names, and the card's MD5."""
    sha256 = hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False)
    with (
        urllib.request.urlopen(weights.url, timeout=DOWNLOAD_TIMEOUT_S) as answer,
        part.open("wb") as file,
    ):
        while block := answer.read(BLOCK_BYTES):
            sha256.update(block)
            md5.update(block)
            file.write(block)
        announced = answer.headers.get("Content-Length", "")
        if announced and file.tell() != int(announced):
            raise ValueError(
                f"the connection ended after {file.tell()} of {announced} bytes"
            )
    named = _HASH_IN_NAME.search(weights.url)
    if named and not sha256.hexdigest().startswith(named[1]):
        raise ValueError("the file's hash is not the one in its name")
    if weights.md5 and md5.hexdigest() != weights.md5:
        raise ValueError("the file's MD5 hash is not the one its publisher states")
