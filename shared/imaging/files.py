"""Reads images from files in a folder, for the command line and studies."""

from pathlib import Path

from shared.errors import InputError
from shared.imaging.decode import decode
from shared.imaging.image import Nodule
from shared.imaging.regions.crop import Framing, crop
from shared.imaging.regions.mask import read_mask


class FileUnreadable(InputError):
    code = "file-unreadable"
    text = (
        "{name} cannot be opened ({problem}). "
        "Correct its path or its rights, then run the command again."
    )


def read_nodule(image: Path, mask: Path | None, framing: Framing) -> Nodule:
    """Decode an image file and crop the nodule, by its mask if there is one.

    Raises
    ------
    FileUnreadable, and the errors of `decode`, `read_mask` and `crop`
    """
    ultrasound_image = decode(read_file(image))
    height, width = ultrasound_image.pixels.shape
    roi = None
    if mask:
        nodule_mask = read_mask(read_file(mask), width=width, height=height)
        ultrasound_image = ultrasound_image.with_findings(nodule_mask.findings)
        roi = nodule_mask.roi
    return crop(ultrasound_image, roi, framing)


def read_file(path: Path) -> bytes:
    """Read the bytes of a file.

    Raises
    ------
    FileUnreadable
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise FileUnreadable(name=path.name, problem=problem) from error
