"""PNG without its text: only the chunks that pixels are made of (PNG 3rd edition, 11.2 and 11.3.1)."""

from collections import Counter
from collections.abc import Iterator
from struct import pack, unpack_from
from zlib import crc32

from shared.imaging.deidentify.cleaned import UNNAMED, CleanedFile
from shared.imaging.deidentify.formats.orientation import orientation_exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
NAMED = {
    *(
        b"tEXt",
        b"zTXt",
        b"iTXt",
        b"eXIf",
        b"tIME",
        b"iCCP",
        b"cHRM",
        b"gAMA",
        b"sRGB",
        b"sBIT",
        b"bKGD",
        b"hIST",
    ),
    *(b"pHYs", b"sPLT", b"acTL", b"fcTL", b"fdAT", b"cICP", b"mDCV", b"cLLI"),
}
"""Registered ones; the name of any other chunk is whatever its writer chose, and may not be repeated."""


def clean_png(data: bytes, orientation: int) -> CleanedFile:
    """The same compressed pixels; `orientation` (EXIF) stays, alone, since the reader sees the picture by it."""
    kept = [SIGNATURE]
    removed: Counter[str] = Counter()
    for name, chunk in _chunks(data):
        if name in KEPT:
            kept.append(chunk)
        else:
            removed[name.decode() if name in NAMED else UNNAMED] += 1
        if name == b"IHDR" and orientation != 1:
            kept.append(_chunk(b"eXIf", orientation_exif(orientation)))
        if name == b"IEND":
            break
    removed += Counter({"trailing": int(len(data) > _end(data))})
    return CleanedFile(b"".join(kept), +removed)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and whole chunks; the last one may be cut short, which is for decoding to refuse."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        size, name = unpack_from(">I4s", data, at)
        yield name, data[at : at + size + 12]
        at += size + 12


def _end(data: bytes) -> int:
    at = len(SIGNATURE)
    for name, chunk in _chunks(data):
        at += len(chunk)
        if name == b"IEND":
            return at
    return len(data)


def _chunk(name: bytes, content: bytes) -> bytes:
    return pack(">I", len(content)) + name + content + pack(">I", crc32(name + content))
