"""What a DICOM header says about its pixels (PS3.3, C.7.6.3), with what follows from the rest."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from shared.imaging.dicom.dataset import INTERPRETATIONS, attribute_error
from shared.imaging.errors import UnsupportedImage

PIXEL_DATA_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
FLOAT_BITS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
CONTAINER_BITS = (1, 8, 16, 32, 64)
GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
PARTIAL = ("YBR_PARTIAL_420", "YBR_PARTIAL_422")
"""Luma and chroma of video, which only compressed frames have."""


@dataclass(frozen=True)
class PixelFormat:
    """The header's description of the pixels.

    Attributes
    ----------
    keyword : the attribute that holds the pixels
    samples : 1, or 3 for colour
    bits_allocated, bits_stored, high_bit : container, depth and highest bit of a sample
    is_signed : whether samples are signed
    interpretation : the photometric interpretation
    has_planes : whether uncompressed colour is stored by plane; None if the header lacks it
    guessed : names of attributes that the header lacks, and for which the usual value stands
    """

    keyword: str
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    interpretation: str
    has_planes: bool | None
    guessed: tuple[str, ...] = ()


def read_pixel_format(dataset: Dataset) -> PixelFormat:
    """Return the description of the pixels of a data set from `read_dataset`.

    An attribute that is missing is taken from the others where only one value is possible.

    Raises
    ------
    ImageUnreadable
        with the name of the attribute at fault.
    UnsupportedImage
    """
    keyword = next(name for name in PIXEL_DATA_KEYWORDS if name in dataset)
    samples = _samples(dataset)
    bits_allocated = FLOAT_BITS.get(keyword) or _bits_allocated(dataset, samples)
    bits_stored = dataset.get("BitsStored")
    if bits_stored is None:
        high_bit = dataset.get("HighBit")
        bits_stored = bits_allocated if high_bit is None else high_bit + 1
    if not 1 <= bits_stored <= bits_allocated:
        raise attribute_error("BitsStored", "does not fit into Bits Allocated")
    high_bit = dataset.get("HighBit")
    if high_bit is None or bits_stored == bits_allocated:
        high_bit = bits_stored - 1
    if not 0 <= high_bit < bits_allocated:
        raise attribute_error("HighBit", "does not fit into Bits Allocated")
    is_signed = dataset.get("PixelRepresentation", 0)
    if is_signed not in (0, 1):
        raise attribute_error("PixelRepresentation", "is neither 0 nor 1")
    has_planes = dataset.get("PlanarConfiguration")
    if has_planes not in (None, 0, 1):
        raise attribute_error("PlanarConfiguration", "is neither 0 nor 1")
    return PixelFormat(
        keyword=keyword,
        samples=samples,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        is_signed=bool(is_signed),
        interpretation=_interpretation(dataset, samples),
        has_planes=None if has_planes is None else bool(has_planes),
        guessed=_guessed_names(dataset),
    )


def _guessed_names(dataset: Dataset) -> tuple[str, ...]:
    names: list[str] = []
    if not dataset.get("PhotometricInterpretation"):
        names.append("Photometric Interpretation")
    if dataset.get("BitsStored") is None and dataset.get("HighBit") is None:
        names.append("Bits Stored")
    return tuple(names)


def _samples(dataset: Dataset) -> int:
    """Return the samples of a pixel; without the attribute they follow from the colours."""
    samples = dataset.get("SamplesPerPixel")
    if samples is None:
        interpretation = dataset.get("PhotometricInterpretation") or GREY[1]
        return 1 if interpretation in GREY else 3
    if samples not in (1, 3):
        raise attribute_error("SamplesPerPixel", "is neither 1 nor 3")
    return int(samples)


def _bits_allocated(dataset: Dataset, samples: int) -> int:
    """Return the bits of a container; without the attribute they follow from the data's length."""
    bits = dataset.get("BitsAllocated")
    if bits is None and not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = max(int(dataset.get("NumberOfFrames") or 1), 1)
        count = dataset.Rows * dataset.Columns * samples * frames
        bits = 8 * (len(dataset.PixelData) // count)
    elif bits is None:
        bits = 16 if (dataset.get("BitsStored") or 8) > 8 else 8
    if bits not in CONTAINER_BITS:
        raise attribute_error("BitsAllocated", "is not 1, 8, 16, 32 or 64")
    return int(bits)


def _interpretation(dataset: Dataset, samples: int) -> str:
    value = dataset.get("PhotometricInterpretation")
    if not value:
        return "MONOCHROME2" if samples == 1 else "RGB"
    if value not in INTERPRETATIONS:
        raise attribute_error(
            "PhotometricInterpretation", "holds a value that SERA does not read"
        )
    is_compressed = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    if value in PARTIAL and not is_compressed:
        raise UnsupportedImage(
            problem=f"Uncompressed DICOM pixels in {value} are not read"
        )
    if samples == 1 and value not in GREY and not is_compressed:
        raise attribute_error(
            "PhotometricInterpretation", "needs 3 samples a pixel, and there is 1"
        )
    return str(value)
