from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless

from shared.errors import SeraError
from shared.imaging import decode
from shared.imaging.deidentify import METHOD, clean
from shared.imaging.deidentify.dicom.header import replacement_uid
from tests.support.builders import dicom_file

KEY = b"a key of this installation"
NAME = "Zzyzxqvist"
TEXT_VRS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "OB", "UN"}
CHARACTER_SET = 0x0008_0005
TEXTS = (
    tag
    for tag, entry in DicomDictionary.items()
    if entry[0] in TEXT_VRS and tag >> 16 > 2
)
TEXT_TAGS = sorted(tag for tag in TEXTS if tag != CHARACTER_SET)
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
PIXELS = np.random.default_rng(1).integers(0, 120, (24, 32)).astype(np.uint8)
WINDOWED = dicom_file(
    PIXELS, PatientName=NAME, WindowCenter=60.5, WindowWidth=61, PixelSpacing=[0.1, 0.2]
)
GENERATED_ATTRIBUTES = {
    "PixelData",
    "PhotometricInterpretation",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
}


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(data))


def name_element(tag: int, text: str = NAME) -> DataElement:
    vr = dictionary_VR(tag)
    return DataElement(
        tag, vr, text.encode() if vr in ("OB", "UN") else text, validation_mode=0
    )


def written(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def file_with_name_in(*tags: int) -> bytes:
    """A file with the name in these attributes."""
    dataset = read(dicom_file(PIXELS))
    for tag in tags:
        if pydicom.datadict.keyword_for_tag(tag) not in GENERATED_ATTRIBUTES:
            dataset.add(name_element(tag))
    dataset.PatientName = f"{NAME}^Jane"
    return written(dataset)


def test_the_name_is_removed_from_every_attribute():
    data = file_with_name_in(*TEXT_TAGS)
    assert data.count(NAME.encode()) > 1000
    cleaned = clean(data, KEY)
    assert NAME.lower().encode() not in cleaned.data.lower()
    assert (decode(cleaned.data).pixels == PIXELS).all()


@given(
    st.lists(st.sampled_from(TEXT_TAGS), max_size=6),
    st.text("BCDFGHJKLM", min_size=6, max_size=12),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_text_survives_in_any_sequence_private_block_preamble_or_tail(tags, name):
    dataset = read(dicom_file(PIXELS, PatientName=name))
    nested = Dataset()
    for tag in tags:
        if pydicom.datadict.keyword_for_tag(tag) not in GENERATED_ATTRIBUTES:
            nested.add(name_element(tag, name))
    deep = Dataset()
    deep.RequestAttributesSequence = [nested]
    dataset.SequenceOfUltrasoundRegions = [nested]
    dataset.VOILUTSequence = None
    dataset.ReferencedStudySequence = [deep]
    dataset.OriginalAttributesSequence = [nested]
    dataset.private_block(0x0009, name, create=True).add_new(1, "LO", name)
    dataset.private_block(0x0019, "ACME", create=True).add_new(2, "SQ", [nested])
    dataset.file_meta.SourceApplicationEntityTitle = name
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3"
    dataset.file_meta.PrivateInformation = name.encode()
    dataset.preamble = name.encode().ljust(128, b"\0")
    data = written(dataset) + name.encode() * 3
    assert name.encode() not in clean(data, KEY).data


@pytest.mark.parametrize(
    "keyword",
    ["Rows", "WindowCenter", "FrameTime", "PhotometricInterpretation", "Modality"],
)
def test_text_in_place_of_kept_values_is_dropped_or_refused(keyword):
    dataset = read(dicom_file(PIXELS))
    dataset[keyword] = DataElement(
        pydicom.datadict.tag_for_keyword(keyword), "LO", NAME
    )
    assert NAME.encode() not in cleaned_or_refused(written(dataset))


def cleaned_or_refused(data: bytes) -> bytes:
    """The cleaned file, or the message of the refusal."""
    try:
        return clean(data, KEY).data
    except SeraError as refusal:
        return str(refusal).encode()


def test_bytes_behind_the_frames_are_cut_off():
    data = dicom_file(PIXELS, PixelData=PIXELS.tobytes() + NAME.encode() * 2)
    cleaned = clean(data, KEY)
    assert NAME.encode() not in cleaned.data
    assert cleaned.removed["trailing"] == 1


def test_removed_attributes_are_counted_by_keyword_and_not_by_value():
    dataset = read(
        dicom_file(PIXELS, PatientName=NAME, PatientID="4711", StudyDate="20200102")
    )
    dataset.private_block(0x0009, NAME, create=True).add_new(1, "LO", NAME)
    removed = clean(written(dataset), KEY).removed
    assert removed == {"PatientName": 1, "PatientID": 1, "StudyDate": 1, "private": 2}


def test_the_cleaned_file_says_so_and_keeps_empty_what_must_be_there():
    cleaned = read(
        clean(
            dicom_file(
                PIXELS, PatientName=NAME, StudyID="7", Manufacturer=f"ACME {NAME}"
            ),
            KEY,
        ).data
    )
    assert (cleaned.PatientIdentityRemoved, cleaned.DeidentificationMethod) == (
        "YES",
        METHOD,
    )
    assert [item.CodeValue for item in cleaned.DeidentificationMethodCodeSequence] == [
        "113100"
    ]
    assert (str(cleaned.PatientName), cleaned.StudyID, cleaned.Manufacturer) == (
        "",
        "",
        "ACME",
    )


def test_uids_are_replaced_by_ones_that_only_this_installation_makes():
    data = dicom_file(PIXELS, StudyInstanceUID="1.2.840.99.20200102.4711")
    cleaned = read(clean(data, KEY).data)
    cleaned_elsewhere = read(clean(data, b"another").data)
    assert (
        cleaned.StudyInstanceUID
        == replacement_uid("1.2.840.99.20200102.4711", KEY)
        != cleaned_elsewhere.StudyInstanceUID
    )
    assert (
        cleaned.file_meta.MediaStorageSOPInstanceUID
        == cleaned.SOPInstanceUID
        != read(data).SOPInstanceUID
    )
    assert clean(data, KEY).data == clean(data, KEY).data


def test_attributes_that_decoding_needs_are_kept():
    ramp = np.arange(256, dtype=np.uint16)[::-1] * 257
    palette = {
        f"{name}PaletteColorLookupTableData": ramp.tobytes()
        for name in ("Red", "Green", "Blue")
    }
    shape = {
        f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16]
        for name in ("Red", "Green", "Blue")
    }
    coloured = dicom_file(
        PIXELS, PhotometricInterpretation="PALETTE COLOR", **shape, **palette
    )
    windowed = dicom_file(
        PIXELS,
        WindowCenter=[60.5, 5],
        WindowWidth=[61, 9],
        PixelSpacing=[0.1, 0.2],
        FrameTime=33.3,
    )
    for data in (coloured, windowed):
        original = decode(data)
        decoded = decode(clean(data, KEY).data)
        assert (original.pixels == decoded.pixels).all()
        assert original.spacing_mm == decoded.spacing_mm
    assert read(clean(windowed, KEY).data).FrameTime == 33.3


def test_comments_inside_compressed_frames_go_and_their_data_stay():
    pixels = np.tile(PIXELS, (4, 4))
    source = read(dicom_file(pixels))
    source.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    frame = next(generate_frames(source.PixelData, number_of_frames=1))
    comment = b"\xff\x64" + (len(NAME) + 4).to_bytes(2) + b"\0\x01" + NAME.encode()
    offset = 4 + int.from_bytes(frame[4:6])
    source.PixelData = encapsulate(
        [frame[:offset] + comment + frame[offset:] + NAME.encode()]
    )
    cleaned = clean(written(source), KEY)
    assert NAME.encode() not in cleaned.data
    assert (cleaned.removed["frame-COM"] >= 1, cleaned.removed["frame-trailing"]) == (
        True,
        1,
    )
    assert read(cleaned.data).file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert (decode(cleaned.data).pixels == pixels).all()


@pytest.mark.parametrize(
    "path", sorted(TEST_FILES.glob("*.dcm")), ids=lambda path: path.stem
)
def test_pydicoms_own_files_decode_after_cleaning_as_before(path):
    data = path.read_bytes()
    original = decoded_or_none(data)
    try:
        cleaned = clean(data, KEY)
    except SeraError:
        assert original is None
        return
    decoded = decoded_or_none(cleaned.data)
    assert (original is None) == (decoded is None)
    assert original is None or (original == decoded).all()


def decoded_or_none(data: bytes) -> np.ndarray | None:
    try:
        return decode(data).pixels
    except SeraError:
        return None


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_damaged_file_is_cleaned_or_refused_and_never_crashes(draw):
    data = bytearray(WINDOWED)
    for offset in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=6)):
        data[offset] = draw.draw(st.integers(0, 255))
    assert cleaned_or_refused(bytes(data[: draw.draw(st.integers(0, len(data)))]))
