"""Decodes and encodes single frames with imagecodecs: libjpeg-turbo, CharLS and OpenJPEG.

RLE and JPEG of 8 bits have decoders of their own in `frame.py`.
"""

import numpy as np
from imagecodecs import jpeg2k_decode, jpeg2k_encode, jpeg8_decode, jpegls_decode
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from shared.imaging.dicom.codestream import Codestream, Coding, without_boxes
from shared.imaging.dicom.samples import Samples
from shared.imaging.errors import ImageUnreadable

READ_SYNTAXES: frozenset[UID] = frozenset(
    {
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGBaseline8Bit,
        JPEGExtended12Bit,
        JPEGLossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEGLSNearLossless,
        JPEG2000Lossless,
        JPEG2000,
        HTJ2KLossless,
        HTJ2KLosslessRPCL,
        HTJ2K,
        RLELossless,
    }
)
"""The transfer syntaxes whose pixels can be read."""


def decode_codestream(frame: bytes, codestream: Codestream) -> Samples:
    """Decode a frame of JPEG, JPEG-LS or JPEG 2000. No colour is converted.

    Parameters
    ----------
    frame : the coded frame
    codestream : its description, from `describe_codestream`

    Returns
    -------
    samples : (height, width) or (height, width, components), in the smallest container of 8, 16
        or 32 bits; signed only where JPEG 2000 says so

    Raises
    ------
    ImageUnreadable
        if the decoder finds the frame damaged.
    """
    try:
        samples = _decode(without_boxes(frame), codestream)
    except RuntimeError:
        raise ImageUnreadable(
            format="DICOM", problem="its compressed frame is damaged"
        ) from None
    return np.asarray(samples)


def _decode(frame: bytes, codestream: Codestream) -> Samples:
    if codestream.coding is Coding.JPEG_LS:
        return jpegls_decode(frame)
    if codestream.coding in (Coding.JPEG_2000, Coding.HTJ2K):
        return jpeg2k_decode(frame, planar=False)
    if codestream.components == 3:
        return jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")
    return jpeg8_decode(frame)


def encode_j2k(samples: Samples, bits: int) -> bytes:
    """Encode a frame as JPEG 2000 without loss.

    Parameters
    ----------
    samples : (height, width), or (height, width, 3) of RGB, which gets the reversible colour
        transform; integers of 8 or 16 bits
    bits : depth of the samples
    """
    return bytes(
        jpeg2k_encode(
            samples,
            level=0,
            codecformat="J2K",
            bitspersample=bits,
            reversible=True,
            mct=samples.ndim == 3,
        )
    )
