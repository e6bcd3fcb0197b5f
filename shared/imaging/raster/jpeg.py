"""Names the kinds of JPEG that are not read (ITU-T T.81, B.1.1.3 and B.2.2)."""

from struct import unpack_from

from shared.imaging.errors import UnsupportedImage

READ_FRAMES = {0xC0, 0xC1, 0xC2}
"""Start-of-frame markers of baseline, extended sequential and progressive JPEG."""
FRAME_KINDS = {
    0xC3: "lossless JPEG",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG",
    0xC9: "JPEG with arithmetic coding",
    0xCA: "JPEG with arithmetic coding",
    0xCB: "lossless JPEG",
    0xF7: "JPEG-LS",
}
READ_BITS = 8


def check_jpeg(data: bytes) -> None:
    """Check that a file is of a kind that is read.

    A file whose segments cannot be followed passes; the decoder refuses it.

    Raises
    ------
    UnsupportedImage
    """
    offset = 2
    while offset + 5 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker in FRAME_KINDS:
            raise UnsupportedImage(
                problem=f"Files of {FRAME_KINDS[marker]} are not read"
            )
        if marker in READ_FRAMES:
            bits = data[offset + 4]
            if bits != READ_BITS:
                raise UnsupportedImage(
                    problem=f"JPEG files of {bits} bits are not read"
                )
            return
        (size,) = unpack_from(">H", data, offset + 2)
        offset += 2 + size
