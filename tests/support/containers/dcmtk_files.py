"""The picture in encodings that only DCMTK writes: JPEG lossless, extended, JPEG-LS."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tests.support.builders import dicom_file
from tests.support.containers.container import (
    Container,
    grey_picture,
    luma,
    tinted_picture,
    widen,
)
from tests.support.containers.dcmtk import convert

LOSSLESS_CODINGS = {
    "jpeg-lossless-sv1": ("dcmcjpeg", "+e1"),
    "jpeg-lossless-sv6": ("dcmcjpeg", "+el"),
    "jpeg-ls-line": ("dcmcjpls", "+il"),
    "jpeg-ls-sample": ("dcmcjpls", "+is"),
    "jpeg-ls-none": ("dcmcjpls", "+in"),
}
LOSSY_GREY_CODINGS = {
    "jpeg-baseline": ("dcmcjpeg", "+eb"),
    "jpeg-extended": ("dcmcjpeg", "+ee"),
    "jpeg-ls-near": ("dcmcjpls", "+en"),
}
LOSSY_COLOUR_CODINGS = {
    "jpeg-baseline-ycbcr": ("dcmcjpeg", "+eb"),
    "jpeg-baseline-ycbcr-422": ("dcmcjpeg", "+eb", "+s2"),
    "jpeg-baseline-rgb": ("dcmcjpeg", "+eb", "+cr"),
    "jpeg-ls-near": ("dcmcjpls", "+en"),
}


def lossless_dcmtk_containers() -> Iterator[Container]:
    """Yield grey files of 8, 12 and 16 bits and colour files of each lossless coding."""
    grey = grey_picture()
    rgb = tinted_picture()
    for name, coding in LOSSLESS_CODINGS.items():
        for interpretation in ("MONOCHROME2", "MONOCHROME1"):
            for bits in (8, 12, 16):
                plain = _grey_file(grey, bits, interpretation)
                kind = f"{interpretation.lower()}-{bits}"
                yield Container(f"dicom-{name}-{kind}", _coded(plain, coding), grey)
        for planar in (0, 1):
            plain = _colour_file(rgb, planar)
            yield Container(
                f"dicom-{name}-rgb-planar-{planar}", _coded(plain, coding), luma(rgb)
            )


def lossy_dcmtk_containers() -> Iterator[Container]:
    """Yield files of each lossy coding, to be compared with what DCMTK shows."""
    grey = grey_picture()
    for name, coding in LOSSY_GREY_CODINGS.items():
        for bits in (8, 12):
            if name == "jpeg-baseline" and bits == 12:
                continue
            plain = _grey_file(grey, bits, "MONOCHROME2")
            yield Container(f"dicom-{name}-grey-{bits}", _coded(plain, coding))
    for name, coding in LOSSY_COLOUR_CODINGS.items():
        plain = _colour_file(tinted_picture(), planar=0)
        yield Container(f"dicom-{name}-colour", _coded(plain, coding))


def _grey_file(grey: NDArray[np.uint8], bits: int, interpretation: str) -> bytes:
    source = 255 - grey if interpretation == "MONOCHROME1" else grey
    values = source if bits == 8 else widen(source, bits=bits)
    return dicom_file(
        values,
        PhotometricInterpretation=interpretation,
        BitsStored=bits,
        HighBit=bits - 1,
    )


def _colour_file(rgb: NDArray[np.uint8], planar: int) -> bytes:
    if planar == 0:
        return dicom_file(rgb)
    planes = np.ascontiguousarray(np.moveaxis(rgb, -1, 0))
    return dicom_file(rgb, PlanarConfiguration=1, PixelData=planes.tobytes())


def _coded(plain: bytes, coding: tuple[str, ...]) -> bytes:
    program, *options = coding
    data = convert(program, *options, data=plain)
    assert data is not None, f"{program} {options} failed"
    return data
