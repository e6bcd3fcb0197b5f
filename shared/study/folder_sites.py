"""Tells the sites of several folders apart: by name, and by images that two of them share."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shared.domain.identity import identity_key
from shared.domain.regular_files import read_file
from shared.errors import SeraError
from shared.imaging.decode import decode
from shared.study.errors import FoldersAlike, ImageAtTwoSites


class PlacedImage(NamedTuple):
    """An image and where it is from. `file_sha256` covers the file's bytes."""

    name: str
    path: Path
    file_sha256: str
    folder: str
    site: str | None


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Return the name of each folder among several; "" for a single folder.

    Raises
    ------
    FoldersAlike
    """
    if len(paths) == 1:
        return [""]
    names = [path.resolve().name for path in paths]
    seen_keys: set[str] = set()
    for name in names:
        key = identity_key(name)
        if key in seen_keys:
            raise FoldersAlike(name=name)
        seen_keys.add(key)
    return names


def check_one_site_per_image(images: Sequence[PlacedImage]) -> None:
    """Raise `ImageAtTwoSites` if two folders or sites share an image.

    Images are compared by their decoded pixels, so a copy in another format is the same image.
    Files that cannot be decoded are compared by their bytes. Images without a site are not
    compared: no model of a left-out site trains on them.
    """
    placed = [image for image in images if image.site]
    if len({(image.folder, image.site) for image in placed}) < 2:
        return
    pixels_by_file: dict[str, str] = {}
    images_by_pixels: dict[str, list[PlacedImage]] = {}
    for image in placed:
        if image.file_sha256 not in pixels_by_file:
            pixels_by_file[image.file_sha256] = _pixels_sha256(image)
        pixels = pixels_by_file[image.file_sha256]
        images_by_pixels.setdefault(pixels, []).append(image)
    shared_images = [
        copies
        for copies in images_by_pixels.values()
        if len({(image.folder, image.site) for image in copies}) > 1
    ]
    if shared_images:
        examples = " and ".join(image.name for image in shared_images[0][:2])
        raise ImageAtTwoSites(count=len(shared_images), examples=examples)


def _pixels_sha256(image: PlacedImage) -> str:
    """Return the SHA-256 of the image's size and grey pixels, or of its file if it is unreadable."""
    try:
        pixels = decode(read_file(image.path)).pixels
    except SeraError:
        return image.file_sha256
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()
