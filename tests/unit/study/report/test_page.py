import csv
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from shared.study.errors import OutputUnwritable
from shared.study.report.page import DatasetDescription, render, write_report
from shared.study.report.plots import draw_all
from shared.study.report.wording import SECTION_TITLES
from shared.study.results import MissingRow, Section, SitesOut
from tests.support.fabricated_study import study

GENERATED_AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
DATASET = DatasetDescription(
    "thyroid-set",
    names_by_key={"key-of-a-broken-one": "images/broken.png"},
    count_unlabelled=3,
    count_held_out=10,
    count_with_patient=60,
)
FILES = {
    *(
        "tuned",
        "features",
        "concatenation_2_3",
        "concatenation_4_6",
        "ensembles",
        "model",
        "readers",
    ),
    *(
        "comparisons",
        "agreement",
        "sites",
        "sites_out",
        "site_candidates",
        "roi_kinds",
        "published",
        "left_out",
        "skipped",
        "settings",
        "decision_curve",
        "scores",
    ),
}
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Words, attributes and unclosed tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words = []
        self.attributes = []
        self.open = []
        self.tags = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def figures(fabricated) -> dict[str, tuple[str, str]]:
    return draw_all(fabricated)


@pytest.fixture(scope="module")
def page(fabricated) -> Page:
    return Page(render(fabricated, DATASET, GENERATED_AT))


@pytest.fixture
def drawn(figures, monkeypatch) -> None:
    """The figures are there already, for tests of the words and of the tables."""
    monkeypatch.setattr("shared.study.report.page.draw_all", lambda study: figures)


def test_the_page_is_well_formed_and_fetches_nothing(page):
    assert page.open == []
    addresses = [
        value
        for name, value in page.attributes
        if name in ("src", "href", "xlink:href", "action", "poster")
    ]
    assert all(value.startswith("#") for value in addresses)
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert "@import" not in page.text
    assert not re.search(r"url\((?!#)", page.text)


def test_the_page_says_first_what_was_studied_and_how(page):
    text = page.text
    for words in (
        "Research, not a medical device",
        "thyroid-set: 60 images, 20 malignant (33.3 %), 40 benign",
        "3 without a label, 10 held out by the manifest's split, 1 that could not be read",
        "6-fold cross-validation, stratified by label. 30 groups were never split",
        "light, version 5",
        "north, south",
        "2026-01-02 03:04 UTC",
        "images/broken.png",
        "image-unreadable",
        "There are no weights for it.",
        "scikit-learn 1.",
        "ab" * 32,
    ):
        assert words in text
    assert (
        text.index("Research")
        < text.index("In short")
        < text.index("How to read the tables")
    )


def test_every_section_that_is_present_has_its_table(page):
    for title in (
        *SECTION_TITLES.values(),
        "The model against people",
        "Agreement",
        "The model at each site",
    ):
        assert title in page.text
    assert "published, other data" in page.text


def test_the_page_says_whether_a_published_row_can_come_from_whole_cases(page):
    assert "whole cases" in page.text
    assert "100 malignant, 50 benign" in page.text
    assert "50 malignant, 100 benign" in page.text


@pytest.mark.usefixtures("drawn")
def test_the_page_shows_sites_left_out_and_names_that_patients_of_two_sites_have(
    fabricated,
):
    row = next(row for row in fabricated.rows if row.section is Section.MODEL)
    left_out = replace(fabricated, sites_out=SitesOut(row=row, problems={}))
    dataset = replace(DATASET, count_shared_patient_names=4)
    text = Page(render(left_out, dataset, GENERATED_AT)).text
    assert "The model at a site that it has not seen" in text
    assert "4 names of patients are at two sites or more" in text
    text = Page(render(fabricated, DATASET, GENERATED_AT)).text
    assert "The model at a site that it has not seen" not in text
    assert "names of patients" not in text


def test_sections_without_a_row_are_not_shown(fabricated):
    rows = tuple(
        row
        for row in fabricated.rows
        if row.section in (Section.MODEL, Section.FEATURES)
    )
    ids = [
        value
        for name, value in Page(
            render(study(rows=rows), DATASET, GENERATED_AT)
        ).attributes
        if name == "id"
    ]
    assert {"model", "features"} <= set(ids)
    assert not {"tuned", "readers", "comparisons", "agreement"} & set(ids)


def test_names_are_escaped(fabricated):
    bad = '<script>alert("x")</script>'
    rows = tuple(
        replace(row, name=bad, facts={"network": bad}) for row in fabricated.rows
    )
    hostile = study(
        rows=rows,
        missing_rows=(MissingRow(Section.TUNED, bad, bad),),
        settings={bad: {bad: bad}},
    )
    page = Page(
        render(
            hostile,
            replace(DATASET, title=bad, names_by_key={"key-of-a-broken-one": bad}),
            GENERATED_AT,
        )
    )
    assert "script" not in page.tags
    assert bad in page.text


@pytest.mark.usefixtures("drawn")
def test_phantoms_are_said_to_be_phantoms(fabricated, page):
    assert "Synthetic data" not in page.text
    assert (
        "Synthetic data"
        in Page(render(fabricated, replace(DATASET, synthetic=True), GENERATED_AT)).text
    )


@pytest.mark.usefixtures("drawn")
def test_images_with_both_labels_are_named(fabricated):
    text = Page(
        render(
            fabricated,
            replace(DATASET, contradictory_images=("a.png", "b.png")),
            GENERATED_AT,
        )
    ).text
    assert "2 labelled both benign and malignant (a.png, b.png)" in text


@pytest.mark.usefixtures("drawn")
def test_unknown_patients_are_told_as_a_limit(fabricated, page):
    assert "Where the patient is not known" not in page.text
    assert (
        "Where the patient is not known"
        in Page(
            render(fabricated, replace(DATASET, count_with_patient=59), GENERATED_AT)
        ).text
    )


def test_a_study_in_which_nothing_could_be_fitted_still_has_a_report():
    page = Page(render(study(rows=()), DATASET, GENERATED_AT))
    assert "No judge could be fitted" in page.text


@pytest.mark.usefixtures("drawn")
def test_every_table_is_a_csv_file_beside_the_page(fabricated, tmp_path: Path):
    report = write_report(fabricated, DATASET, tmp_path / "out", GENERATED_AT)
    assert report == tmp_path / "out" / "report.html"
    assert {path.name for path in report.parent.iterdir()} == {
        "report.html",
        *(f"{name}.csv" for name in FILES),
    }
    with (report.parent / "scores.csv").open(newline="") as source:
        lines = list(csv.DictReader(source))
    assert [line["image"] for line in lines] == list(fabricated.images)


@pytest.mark.usefixtures("drawn")
def test_a_table_that_has_become_empty_leaves_no_lines_of_an_earlier_run(
    fabricated, tmp_path: Path
):
    write_report(fabricated, DATASET, tmp_path, GENERATED_AT)
    write_report(study(people=False), DATASET, tmp_path, GENERATED_AT)
    for name in ("comparisons", "agreement", "readers"):
        assert (tmp_path / f"{name}.csv").read_bytes().count(b"\n") == 1


def test_a_report_is_written_over_an_earlier_one(fabricated, tmp_path: Path):
    first = write_report(fabricated, DATASET, tmp_path, GENERATED_AT).read_bytes()
    assert (
        write_report(study(seed=1), DATASET, tmp_path, GENERATED_AT).read_bytes()
        != first
    )
    assert (
        write_report(fabricated, DATASET, tmp_path, GENERATED_AT).read_bytes() == first
    )


def test_a_folder_that_cannot_be_written_is_told(fabricated, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable, match="choose another folder"):
        write_report(fabricated, DATASET, tmp_path / "file", GENERATED_AT)
