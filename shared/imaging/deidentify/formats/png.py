"""De-identifies PNG: keeps only the chunks for the pixels (PNG 3rd edition, 11.2 and 11.3.1)."""

from collections import Counter
from struct import pack
from zlib import crc32

from shared.imaging.deidentify.cleaned import UNNAMED, CleanedFile
from shared.imaging.deidentify.formats.orientation import orientation_exif
from shared.imaging.raster.png import SIGNATURE, png_chunks

PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"sBIT", b"IDAT", b"IEND"}
REGISTERED_CHUNKS = {
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"eXIf",
    b"tIME",
    b"iCCP",
    b"cHRM",
    b"gAMA",
    b"sRGB",
    b"bKGD",
    b"hIST",
    b"pHYs",
    b"sPLT",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"cICP",
    b"mDCV",
    b"cLLI",
}
"""Chunks whose name may be repeated. The writer of the file chooses the name of other chunks."""


def clean_png(data: bytes, orientation: int) -> CleanedFile:
    """Copy the compressed pixels without other chunks.

    Parameters
    ----------
    data : the whole file
    orientation : EXIF orientation; it is kept, because viewers turn the picture by it
    """
    chunks = [SIGNATURE]
    removed: Counter[str] = Counter()
    for name, chunk in png_chunks(data):
        if name in PIXEL_CHUNKS:
            chunks.append(chunk)
        else:
            public_name = name.decode() if name in REGISTERED_CHUNKS else UNNAMED
            removed[public_name] += 1
        if name == b"IHDR" and orientation != 1:
            chunks.append(_chunk(b"eXIf", orientation_exif(orientation)))
        if name == b"IEND":
            break
    removed["trailing"] += int(len(data) > _end(data))
    return CleanedFile(data=b"".join(chunks), removed=+removed)


def _end(data: bytes) -> int:
    """Return the end of the last chunk of the image."""
    offset = len(SIGNATURE)
    for name, chunk in png_chunks(data):
        offset += len(chunk)
        if name == b"IEND":
            return offset
    return len(data)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = pack(">I", crc32(name + content))
    return pack(">I", len(content)) + name + content + checksum
