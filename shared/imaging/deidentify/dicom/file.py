"""A whole DICOM file cleaned: header, coded frames, and pixels outside the ultrasound regions."""

from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from struct import error

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_encoder, iter_pixels
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.dicom.header import clean_header, count_removed
from shared.imaging.deidentify.dicom.profile import PIXELS
from shared.imaging.deidentify.dicom.regions import blank_frame, blank_stored, mask_outside
from shared.imaging.deidentify.formats.jpeg import clean_jpeg
from shared.imaging.deidentify.formats.jpeg2000 import clean_j2k
from shared.imaging.dicom.calibration import ultrasound_regions
from shared.imaging.dicom.reader import check_decodable
from shared.imaging.errors import ImageTruncated
from shared.imaging.image import Header
from shared.imaging.limits import Limits

JPEGS = {
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
}
JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
J2KS = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
MOST_CODED_BITS = 16
LEAST_CODED_PX = 64
"""JPEG 2000 is coded here up to this depth and from this side on; other frames, never ultrasound, stay uncompressed."""
Mask = NDArray[np.bool_] | None
BLANKED = "pixels-outside-regions"
WHOLE_BYTES = (8, 16, 32)


class DecodingNeeded(Exception):
    """The pixels have to be decoded to be cleaned, which is not done in this process."""


def clean_dicom(
    data: bytes, key: bytes, header: Header, limits: Limits, may_decode: bool
) -> CleanedFile:
    """The same image without anything of a patient.

    Compressed frames stay compressed; those whose pixels have to be cleaned become JPEG 2000 lossless.

    Raises
    ------
    DecodingNeeded
        where decoding is needed and `may_decode` is not.
    """
    source = dcmread(BytesIO(data))
    check_decodable(source)
    mask = mask_outside(
        ultrasound_regions(source, header.width, header.height), header.width, header.height
    )
    recode = _has_to_be_decoded(source, mask is not None)
    kept = clean_header(source, key, mask is not None)
    removed = Counter({"preamble": int(bool(data[:128].strip(b"\0")))})
    if source.file_meta.TransferSyntaxUID.is_encapsulated and not recode:
        recode = not _copy_frames(kept, source, header.frames, removed)
    if recode and not may_decode:
        raise DecodingNeeded
    if recode:
        _recode(kept, source, header, mask, limits)
    elif not source.file_meta.TransferSyntaxUID.is_encapsulated:
        _copy_stored(kept, source, mask, removed)
    removed += count_removed(source, kept)
    return CleanedFile(
        _written(kept), +(removed + Counter({BLANKED: int(mask is not None)}))
    )


def _has_to_be_decoded(source: Dataset, masked: bool) -> bool:
    syntax = source.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        return masked or syntax not in JPEGS | JPEG_LS | J2KS
    return masked and (
        source.PhotometricInterpretation == "YBR_FULL_422"
        or source.BitsAllocated not in WHOLE_BYTES
    )


def _copy_frames(
    kept: Dataset, source: Dataset, frames: int, removed: Counter[str]
) -> bool:
    """Coded frames without their comments; False where one is so odd that it cannot be walked through."""
    clean = clean_j2k if source.file_meta.TransferSyntaxUID in J2KS else clean_jpeg
    try:
        cleaned = [
            clean(frame)
            for frame in generate_frames(source.PixelData, number_of_frames=frames)
        ]
    except (ValueError, IndexError, error):
        return False
    for frame in cleaned:
        removed += Counter(
            {f"frame-{name}": count for name, count in frame.removed.items()}
        )
    kept.PixelData = encapsulate([frame.data for frame in cleaned])
    kept["PixelData"].VR = "OB"
    return True


def _copy_stored(
    kept: Dataset, source: Dataset, mask: Mask, removed: Counter[str]
) -> None:
    """Uncompressed pixels, as long as the frames are (`ImageTruncated`)."""
    keyword = next(name for name in PIXELS if name in source)
    element = source[keyword]
    expected = get_expected_length(source)
    if keyword != "PixelData":
        kept[keyword] = element
        return
    if len(element.value) < expected:
        raise ImageTruncated(format="DICOM", held=len(element.value), needed=expected)
    pixels = element.value[:expected]
    removed += Counter(
        trailing=int(bool(element.value[expected + expected % 2 :].strip(b"\0")))
    )
    kept.PixelData = pixels if mask is None else blank_stored(pixels, mask, source)
    kept["PixelData"].VR = (
        "OW" if source.BitsAllocated > 8 or element.VR == "OW" else "OB"
    )


def _recode(
    kept: Dataset, source: Dataset, header: Header, mask: Mask, limits: Limits
) -> None:
    """Frame by frame, so that never more than one is unfolded."""
    samples = int(source.get("SamplesPerPixel", 1))
    bits = int(source.BitsAllocated)
    if (
        header.width * header.height * header.frames * samples * bits // 8
        > limits.max_inflated_mib * 2**20
    ):
        raise limits.too_large()
    if samples == 3:
        kept.PhotometricInterpretation = "RGB"
        kept.PlanarConfiguration = 0
    frames = _blanked_frames(source, kept, mask)
    plain = bits > MOST_CODED_BITS or min(header.width, header.height) < LEAST_CODED_PX
    if plain:
        kept.file_meta.TransferSyntaxUID, kept.PixelData = (
            ExplicitVRLittleEndian,
            b"".join(map(_raw, frames)),
        )
    else:
        kept.file_meta.TransferSyntaxUID = JPEG2000Lossless
        kept.PixelData = encapsulate([_lossless(frame, kept) for frame in frames])
        if samples == 3:
            kept.PhotometricInterpretation = "YBR_RCT"
    kept["PixelData"].VR = "OW" if plain and bits > 8 else "OB"


def _blanked_frames(
    source: Dataset, kept: Dataset, mask: Mask
) -> Iterator[NDArray[np.number]]:
    for frame in iter_pixels(source):
        if mask is not None:
            frame = frame.copy()
            blank_frame(frame, mask, kept)
        yield frame


def _raw(frame: NDArray[np.number]) -> bytes:
    """Little endian."""
    return frame.astype(frame.dtype.newbyteorder("<")).tobytes()


def _lossless(frame: NDArray[np.number], kept: Dataset) -> bytes:
    colour = kept.PhotometricInterpretation == "RGB"
    return get_encoder(JPEG2000Lossless).encode(
        frame,
        rows=kept.Rows,
        columns=kept.Columns,
        samples_per_pixel=3 if colour else 1,
        number_of_frames=1,
        bits_allocated=kept.BitsAllocated,
        bits_stored=kept.BitsStored,
        pixel_representation=kept.PixelRepresentation,
        photometric_interpretation="YBR_RCT"
        if colour
        else kept.PhotometricInterpretation,
        planar_configuration=0,
        encoding_plugin="pylibjpeg",
    )


def _written(kept: Dataset) -> bytes:
    stream = BytesIO()
    dcmwrite(stream, kept, enforce_file_format=True)
    return stream.getvalue()
