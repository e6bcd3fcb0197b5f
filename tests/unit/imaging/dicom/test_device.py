from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread, examples

from shared.imaging import inspect
from tests.support.builders import dicom_file


def read_device(speckle, **elements):
    return inspect(BytesIO(dicom_file(speckle, **elements))).device


def raw(speckle, value, private=b"DOE^JANE"):
    """A file whose manufacturer is exactly these bytes, which pydicom may refuse to write."""
    data = dicom_file(speckle, Manufacturer="@" * 64, PatientName="#" * 8)
    data = data.replace(b"#" * 8, private[:8].ljust(8))
    return data.replace(b"@" * 64, value[:64].ljust(64))


@pytest.mark.parametrize(
    ("file", "device_name"),
    [
        ("rgb_color", "G.E. Medical Systems LOGIQ 700"),
        ("palette_color", "Philips Medical Systems CX50"),
        ("ybr_color", "SonoSite, Inc. Turbo"),
    ],
)
def test_real_scanners_are_named_by_manufacturer_and_model(file, device_name):
    with examples.get_path(file).open("rb") as stream:
        assert inspect(stream).device == device_name


def test_neither_serial_number_nor_station_nor_hospital_is_kept(speckle):
    elements = {
        "StationName": "ROOM-4",
        "DeviceSerialNumber": "US2419B7",
        "InstitutionName": "North Clinic",
    }
    elements |= {
        "Manufacturer": "Samsung Medison US2419B7",
        "ManufacturerModelName": "RS80A 20260314 00481516",
    }
    assert read_device(speckle, **elements) == "Samsung Medison RS80A"


def test_a_patient_repeated_in_the_makers_field_is_left_out(speckle):
    elements = {
        "PatientName": "Doe^Jane",
        "PatientID": "A-7761",
        "PatientBirthDate": "19610203",
    }
    device_name = read_device(
        speckle,
        **elements,
        Manufacturer="DOE JANE 19610203",
        ManufacturerModelName="EPIQ 7 A-7761",
    )
    assert device_name == "EPIQ 7"


@pytest.mark.parametrize(
    ("value", "device_name"),
    [
        (b"Hitachi\0\0Aloka\0", "Hitachi Aloka"),
        (b"Canon\\Toshiba", "Canon Toshiba"),
        (b"<script>GE</script>\r\n\x1b[31m", "script GE /script 31m"),
        (b"\xff\xfe\x80\xbc\xed", None),
        (b"- . ( )", None),
        (b"", None),
    ],
)
def test_odd_values_become_plain_words_or_nothing(speckle, value, device_name):
    assert inspect(BytesIO(raw(speckle, value))).device == device_name


@pytest.mark.filterwarnings("ignore:The value length")
def test_very_long_text_is_cut(speckle):
    device_name = read_device(
        speckle, Manufacturer="GE " * 20_000, ManufacturerModelName="LOGIQ"
    )
    assert device_name == ("GE " * 27)[:80].strip()


def test_a_file_that_names_no_scanner_has_no_device(speckle, encode):
    assert read_device(speckle) is None
    assert inspect(BytesIO(encode(speckle))).device is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=64))
def test_no_bytes_cost_the_image_or_let_the_patients_name_in(value):
    data = raw(SPECKLE, value + b" doe")
    header = inspect(BytesIO(data))
    assert (header.width, header.height) == (64, 48)
    device_name = header.device or ""
    assert device_name.isascii()
    assert device_name.isprintable()
    assert len(device_name) <= 80
    assert "doe" not in device_name.lower().split()


SPECKLE = dcmread(examples.get_path("rgb_color")).pixel_array[:48, :64, 0].copy()
