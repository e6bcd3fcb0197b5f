"""De-identifies formats of phones, WebP and HEIC: stores their pixels as PNG without loss."""

from collections import Counter
from io import BytesIO

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.formats.png import clean_png
from shared.imaging.image import Header, ImageFormat
from shared.imaging.raster.reader import FIRST_PAGE, open_image

RECODED_FORMATS = {ImageFormat.WEBP, ImageFormat.HEIC}
PNG_MODES = {"L", "LA", "RGB", "RGBA"}
METADATA = {"exif": "EXIF", "xmp": "XMP", "icc_profile": "ICC profile"}
"""Names of removed metadata, by Pillow's names."""
COMPRESSION_LEVEL = 2
"""Photos hardly shrink at higher levels, which take several times as long."""


def recode_as_png(data: bytes, header: Header) -> CleanedFile:
    """Return a PNG with the pixels and the orientation of a picture, and nothing else.

    Of an animation, the first picture is taken, with a finding.
    """
    image = open_image(BytesIO(data), header.format)
    image.load()
    removed = Counter(
        {name: 1 for key, name in METADATA.items() if image.info.get(key)}
    )
    if image.mode not in PNG_MODES:
        image = image.convert("RGB")
    stream = BytesIO()
    image.save(stream, "PNG", compress_level=COMPRESSION_LEVEL)
    cleaned = clean_png(stream.getvalue(), header.orientation.number)
    findings = (FIRST_PAGE,) if header.frames > 1 else ()
    return CleanedFile(data=cleaned.data, removed=removed, findings=findings)
