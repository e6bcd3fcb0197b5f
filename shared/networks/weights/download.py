"""Downloads a weight file; only a complete and verified file gets the final name."""

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
    """Download next to the target, verify, then rename. Raises `OSError`, `ValueError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as temporary:
        path = Path(temporary.name)
        try:
            _fetch(weights, path)
            os.replace(path, target)
        finally:
            path.unlink(missing_ok=True)


def _fetch(weights: WeightsSource, path: Path) -> None:
    """Download into a file, and verify its length and its hashes.

    The length must match the response's header. The hashes are the SHA-256 whose beginning
    torchvision and timm put into their file names, and the card's SHA-256 and MD5.
    """
    sha256 = hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False)
    with (
        urllib.request.urlopen(weights.url, timeout=DOWNLOAD_TIMEOUT_S) as response,
        path.open("wb") as file,
    ):
        while block := response.read(BLOCK_BYTES):
            sha256.update(block)
            md5.update(block)
            file.write(block)
        expected_length = response.headers.get("Content-Length", "")
        if expected_length and file.tell() != int(expected_length):
            raise ValueError(
                f"the connection ended after {file.tell()} of {expected_length} bytes"
            )
    hash_in_name = _HASH_IN_NAME.search(weights.url)
    if hash_in_name and not sha256.hexdigest().startswith(hash_in_name[1]):
        raise ValueError("the file's hash is not the one in its name")
    if weights.sha256 and sha256.hexdigest() != weights.sha256:
        raise ValueError("the file's SHA-256 is not the one on the network's card")
    if weights.md5 and md5.hexdigest() != weights.md5:
        raise ValueError("the file's MD5 hash is not the one its publisher states")
