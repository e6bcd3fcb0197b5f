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
OWN = {
    "PixelData",
    "PhotometricInterpretation",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
}


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(data))


def planted(tag: int, text: str = NAME) -> DataElement:
    vr = dictionary_VR(tag)
    return DataElement(
        tag, vr, text.encode() if vr in ("OB", "UN") else text, validation_mode=0
    )


def written(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def holding(*tags: int) -> bytes:
    """A file with the name in these attributes and once more in a sequence and a private block."""
    dataset = read(dicom_file(PIXELS))
    for tag in tags:
        if pydicom.datadict.keyword_for_tag(tag) not in OWN:
            dataset.add(planted(tag))
    dataset.PatientName = f"{NAME}^Jane"
    return written(dataset)


def test_the_name_is_nowhere_whatever_attribute_held_it():
    data = holding(*TEXT_TAGS)
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
    inner = Dataset()
    for tag in tags:
        if pydicom.datadict.keyword_for_tag(tag) not in OWN:
            inner.add(planted(tag, name))
    deep = Dataset()
    deep.RequestAttributesSequence = [inner]
    dataset.SequenceOfUltrasoundRegions = [inner]
    dataset.VOILUTSequence = None
    dataset.ReferencedStudySequence = [deep]
    dataset.OriginalAttributesSequence = [inner]
    dataset.private_block(0x0009, name, create=True).add_new(1, "LO", name)
    dataset.private_block(0x0019, "ACME", create=True).add_new(2, "SQ", [inner])
    dataset.file_meta.SourceApplicationEntityTitle = name
    (
        dataset.file_meta.PrivateInformationCreatorUID,
        dataset.file_meta.PrivateInformation,
    ) = (
        "1.2.3",
        name.encode(),
    )
    dataset.preamble = name.encode().ljust(128, b"\0")
    data = written(dataset) + name.encode() * 3
    assert name.encode() not in clean(data, KEY).data


@pytest.mark.parametrize(
    "keyword",
    ["Rows", "WindowCenter", "FrameTime", "PhotometricInterpretation", "Modality"],
)
def test_words_in_the_place_of_what_is_kept_are_dropped_or_refused(keyword):
    dataset = read(dicom_file(PIXELS))
    dataset[keyword] = DataElement(
        pydicom.datadict.tag_for_keyword(keyword), "LO", NAME
    )
    assert NAME.encode() not in cleaned_or_refused(written(dataset))


def cleaned_or_refused(data: bytes) -> bytes:
    """What is stored, or what is said where nothing is."""
    try:
        return clean(data, KEY).data
    except SeraError as refusal:
        return str(refusal).encode()


def test_bytes_behind_the_frames_are_cut_off():
    data = dicom_file(PIXELS, PixelData=PIXELS.tobytes() + NAME.encode() * 2)
    cleaned = clean(data, KEY)
    assert NAME.encode() not in cleaned.data
    assert cleaned.removed["trailing"] == 1


def test_what_went_is_counted_by_keyword_and_never_told_by_value():
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
    here = read(clean(data, KEY).data)
    there = read(clean(data, b"another").data)
    assert (
        here.StudyInstanceUID
        == replacement_uid("1.2.840.99.20200102.4711", KEY)
        != there.StudyInstanceUID
    )
    assert (
        here.file_meta.MediaStorageSOPInstanceUID
        == here.SOPInstanceUID
        != read(data).SOPInstanceUID
    )
    assert clean(data, KEY).data == clean(data, KEY).data


def test_what_a_picture_needs_stays():
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
        before = decode(data)
        after = decode(clean(data, KEY).data)
        assert (before.pixels == after.pixels).all()
        assert before.spacing_mm == after.spacing_mm
    assert read(clean(windowed, KEY).data).FrameTime == 33.3


def test_comments_inside_compressed_frames_go_and_their_data_stay():
    pixels = np.tile(PIXELS, (4, 4))
    source = read(dicom_file(pixels))
    source.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    frame = next(generate_frames(source.PixelData, number_of_frames=1))
    said = b"\xff\x64" + (len(NAME) + 4).to_bytes(2) + b"\0\x01" + NAME.encode()
    at = 4 + int.from_bytes(frame[4:6])
    source.PixelData = encapsulate([frame[:at] + said + frame[at:] + NAME.encode()])
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
    before = pictured(data)
    try:
        cleaned = clean(data, KEY)
    except SeraError:
        assert before is None
        return
    after = pictured(cleaned.data)
    assert (before is None) == (after is None)
    assert before is None or (before == after).all()


def pictured(data: bytes) -> np.ndarray | None:
    try:
        return decode(data).pixels
    except SeraError:
        return None


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_damaged_file_is_cleaned_or_refused_and_never_crashes(draw):
    data = bytearray(WINDOWED)
    for at in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=6)):
        data[at] = draw.draw(st.integers(0, 255))
    assert cleaned_or_refused(bytes(data[: draw.draw(st.integers(0, len(data)))]))
