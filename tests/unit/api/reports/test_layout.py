import re
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest

from services.api.locales import Language
from services.api.reports.facts import PrintRecord, Report
from services.api.reports.layout import pdf
from services.api.reports.zones import zone_named
from shared.domain.results.findings import Finding
from shared.domain.results.result import ReadRoi
from shared.domain.results.roi_source import RoiSource
from shared.guidelines import (
    DESCRIPTORS_EXAMPLE,
    descriptors_to_json,
    parse_descriptors,
)
from shared.ledger.cases.reader_levels import ReaderLevel
from shared.ledger.cases.repository import Case
from tests.support.builders import result

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
CASE = Case(
    image_sha256="a" * 64,
    image_bytes=1,
    image_format="png",
    width=300,
    height=300,
    size_mm=14.5,
    roi={"box": [40, 30, 180, 160]},
    external_id="갑-17",
    id=UUID(int=7),
    created_at=NOON,
)


def report(language: Language = Language.ENGLISH, **changes) -> Report:
    return Report(
        hospital="north",
        case=CASE,
        result=result(**changes),
        read_at=NOON,
        outcome=None,
        printed=PrintRecord(person="kim", key="k", printed_at=NOON),
        language=language,
    )


@pytest.fixture(scope="module")
def plain() -> bytes:
    """The unchanged report, shared because embedding the font takes half a second."""
    return pdf(report())


def with_picture(roi: dict | None, height: int = 300, width: int = 300) -> Report:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width), np.uint8)
    return replace(report(), case=replace(CASE, roi=roi), picture=pixels)


@pytest.fixture(scope="module")
def pictured() -> bytes:
    """The report with an image and without an outline."""
    return pdf(with_picture(None))


def count_pages(document: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", document))


@pytest.mark.parametrize("language", Language)
def test_a_report_is_one_page_with_title_language_and_embedded_font(
    language,
):
    document = pdf(report(language))
    assert document.startswith(b"%PDF")
    assert count_pages(document) == 1
    assert f"/Lang ({language})".encode() in document
    assert b"/Title" in document
    assert b"/FontFile2" in document
    assert len(document) < 200_000


def test_the_same_facts_make_the_same_bytes(plain):
    assert pdf(report()) == plain
    assert plain != pdf(
        replace(report(), printed=PrintRecord(person="lee", key="k", printed_at=NOON))
    )


def test_a_report_uses_the_time_zone_of_the_request(plain):
    assert plain != pdf(replace(report(), zone=zone_named("Asia/Seoul")))


def test_without_an_outline_the_roi_of_the_calipers_is_drawn(pictured):
    roi = ReadRoi(box=(40, 30, 180, 160), source=RoiSource.CALIPERS)
    assert pdf(replace(with_picture(None), result=result(roi=roi))) != pictured


def test_the_outline_that_was_read_is_drawn_and_not_the_given_box():
    triangle = ((40.0, 30.0), (220.0, 30.0), (130.0, 190.0))
    roi = ReadRoi(box=(40, 30, 180, 160), source=RoiSource.READER, polygon=triangle)
    boxed = with_picture({"box": [40, 30, 180, 160]})
    outlined = replace(boxed, result=result(roi=roi))
    assert outlined.drawn_roi == {"polygon": triangle}
    assert pdf(outlined) != pdf(boxed)


def test_descriptors_are_printed(plain):
    case = replace(
        CASE, descriptors=descriptors_to_json(parse_descriptors(DESCRIPTORS_EXAMPLE))
    )
    document = pdf(replace(report(), case=case))
    assert count_pages(document) == 1
    assert len(document) > len(plain)


def test_levels_that_people_entered_first_are_printed(plain):
    level = ReaderLevel(
        guideline="ACR-2017", level="TR4", person=UUID(int=1), name="han", at=NOON
    )
    document = pdf(replace(report(), reader_levels=(level,)))
    assert count_pages(document) == 1
    assert len(document) > len(plain)


def test_many_components_and_warnings_take_a_second_page():
    long = Finding("unheard-of", "Words that go on. " * 12)
    document = pdf(report(components=result().components * 30, warnings=(long,) * 6))
    assert count_pages(document) == 2


def test_a_result_without_a_size_is_printed_without_advice(plain):
    document = pdf(report(fna=None))
    assert count_pages(document) == 1
    assert len(document) < len(plain)


@pytest.mark.parametrize(
    "roi",
    [None, {"box": [40, 30, 180, 160]}, {"polygon": [[40, 30], [220, 30], [130, 190]]}],
)
def test_the_image_is_on_the_page(roi, plain):
    document = pdf(with_picture(roi))
    assert count_pages(document) == 1
    assert b"/Subtype /Image" in document
    assert b"/Subtype /Image" not in plain


def test_an_outline_changes_the_page_and_a_large_image_is_scaled_down(pictured):
    assert pictured != pdf(with_picture({"box": [40, 30, 180, 160]}))
    assert len(pdf(with_picture(None, 2000, 3000))) < 1_000_000
