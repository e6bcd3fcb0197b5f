"""Images that lie in a folder, rather than coming in as an upload."""

from pathlib import Path

from shared.errors import InputError
from shared.imaging.decode import decode
from shared.imaging.image import Nodule
from shared.imaging.regions.crop import Framing, crop
from shared.imaging.regions.mask import read_outline


class FileUnreadable(InputError):
    code = "file-unreadable"
    text = "{name} cannot be opened ({problem}). Correct its path or its rights, then run the command again."


def read_nodule(image: Path, mask: Path | None, framing: Framing) -> Nodule:
    """Decode an image file and cut the nodule out, by its mask where it has one.

    Raises
    ------
    FileUnreadable, and what `decode`, `read_outline` and `crop` raise
    """
    pixels = decode(read_file(image))
    height, width = pixels.pixels.shape
    return crop(
        pixels, read_outline(read_file(mask), width, height) if mask else None, framing
    )


def read_file(path: Path) -> bytes:
    """A file's bytes (`FileUnreadable`)."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise FileUnreadable(
            name=path.name, problem=getattr(error, "strerror", None) or error
        ) from error
