"""The pixels of a labelled image: looked at whole before they are kept, so that training meets no surprise."""

from dataclasses import dataclass

from services.api.dependencies import Wiring
from shared.imaging import decode, read_mask


@dataclass(frozen=True)
class Content:
    """What an image and its mask are known by."""

    image_sha256: str
    mask_sha256: str | None


def keep(wired: Wiring, image: bytes, mask: bytes | None) -> Content:
    """Decode both, then store them; raises what is wrong with them."""
    height, width = decode(image).pixels.shape
    if mask is not None:
        read_mask(mask, width, height)
    return Content(_store(wired, image), _store(wired, mask) if mask is not None else None)


def _store(wired: Wiring, data: bytes) -> str:
    return wired.objects.put(data, max_bytes=wired.settings.max_upload_bytes).sha256
