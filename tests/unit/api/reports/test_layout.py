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
from shared.domain.results.result import FoundRoi, RoiSource
from shared.guidelines import (
    DESCRIPTORS_EXAMPLE,
    descriptors_to_json,
    parse_descriptors,
)
from shared.ledger.cases.repository import Case
from tests.support.builders import result

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
CASE = Case(
    "a" * 64,
    1,
    "png",
    300,
    300,
    14.5,
    {"box": [40, 30, 180, 160]},
    "갑-17",
    id=UUID(int=7),
    created_at=NOON,
)


def report(language: Language = Language.ENGLISH, **changed) -> Report:
    return Report(
        "north",
        CASE,
        result(**changed),
        NOON,
        None,
        PrintRecord("kim", "k", NOON),
        language,
    )


@pytest.fixture(scope="module")
def plain() -> bytes:
    """The report without changes; the letters of each take half a second to be read."""
    return pdf(report())


def with_picture(roi: dict | None, height: int = 300, width: int = 300) -> Report:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width), np.uint8)
    return replace(report(), case=replace(CASE, roi=roi), picture=pixels)


@pytest.fixture(scope="module")
def pictured() -> bytes:
    """With an image and no outline."""
    return pdf(with_picture(None))


def pages(made: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", made))


@pytest.mark.parametrize("language", Language)
def test_a_report_is_one_page_with_title_language_and_embedded_font(
    language,
):
    made = pdf(report(language))
    assert made.startswith(b"%PDF")
    assert pages(made) == 1
    assert f"/Lang ({language})".encode() in made
    assert b"/Title" in made
    assert b"/FontFile2" in made
    assert len(made) < 200_000


def test_the_same_facts_make_the_same_bytes(plain):
    assert pdf(report()) == plain
    assert plain != pdf(replace(report(), printed=PrintRecord("lee", "k", NOON)))


def test_a_report_uses_the_time_zone_of_the_request(plain):
    assert plain != pdf(replace(report(), zone=zone_named("Asia/Seoul")))


def test_without_an_outline_the_roi_of_the_calipers_is_drawn(pictured):
    found = FoundRoi(box=(40, 30, 180, 160), source=RoiSource.CALIPERS)
    assert pdf(replace(with_picture(None), result=result(roi=found))) != pictured


def test_descriptors_are_printed(plain):
    seen = replace(
        CASE, descriptors=descriptors_to_json(parse_descriptors(DESCRIPTORS_EXAMPLE))
    )
    made = pdf(replace(report(), case=seen))
    assert pages(made) == 1
    assert len(made) > len(plain)


def test_many_components_and_warnings_take_a_second_page():
    long = Finding("unheard-of", "Words that go on. " * 12)
    made = pdf(report(components=result().components * 30, warnings=(long,) * 6))
    assert pages(made) == 2


def test_a_result_without_a_size_is_printed_without_advice(plain):
    made = pdf(report(fna=None))
    assert pages(made) == 1
    assert len(made) < len(plain)


@pytest.mark.parametrize(
    "roi",
    [None, {"box": [40, 30, 180, 160]}, {"polygon": [[40, 30], [220, 30], [130, 190]]}],
)
def test_the_image_is_on_the_page(roi, plain):
    made = pdf(with_picture(roi))
    assert pages(made) == 1
    assert b"/Subtype /Image" in made
    assert b"/Subtype /Image" not in plain


def test_an_outline_changes_the_page_and_a_large_image_is_scaled_down(pictured):
    assert pictured != pdf(with_picture({"box": [40, 30, 180, 160]}))
    assert len(pdf(with_picture(None, 2000, 3000))) < 1_000_000
