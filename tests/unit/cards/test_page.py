import re
import shutil
from html.parser import HTMLParser

import pytest

from shared.bundles import load
from shared.bundles.card import model_card
from shared.cards import render
from shared.cards.decision_curve import curve_figure
from tests.support.builders import as_format_2

VOID = {"meta"}


class Balance(HTMLParser):
    """Collects tags, and checks that each is closed in turn."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.tags = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def card(saved):
    return model_card(load(*saved))


def parse(page):
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    return balance


def test_the_page_is_whole_and_fetches_and_runs_nothing(card):
    page = render(card)
    tags = parse(page)
    assert not {"script", "link", "img", "iframe"} & set(tags.tags)
    assert not [
        name
        for name, _ in tags.attributes
        if name.startswith("on") or name in ("src", "href", "style")
    ]
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_says_what_must_not_be_missed(card):
    page = render(card)
    for statement in (
        "Synthetic.",
        "not a certified medical device",
        "Not meant for",
        "95 % interval",
        "follicular",
    ):
        assert statement in page
    assert card["model"]["digest"] in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_the_name_in_the_ledger_stands_at_the_top(card):
    page = render(card | {"stored": {"name": "small/3", "live": True}})
    assert re.search(r"<h1>small/3 <span class=\"live\">live</span></h1>", page)


def test_a_name_cannot_bring_markup_in(card):
    card["data"]["sites"] = {"<script>alert(1)</script>": 2}
    assert "script" not in parse(render(card)).tags


def test_a_card_of_an_old_bundle_is_a_page_too(saved, tmp_path):
    page = render(
        model_card(load(as_format_2(shutil.copytree(saved[0], tmp_path / "old"))))
    )
    parse(page)
    assert "counts were not kept" in page
    assert "bundle format 2" in page


def test_decision_curves_stand_beside_biopsy_of_all_and_of_none(card):
    page = render(card)
    tags = parse(page)
    classes = [value for name, value in tags.attributes if name == "class"]
    for name in ("curve-model", "curve-band", "curve-all", "curve-none"):
        assert classes.count(name) == 2
    assert "Where 50\u00a0% are malignant, as in the training images" in page
    assert "Where 23\u00a0% are malignant, as SERA assumes" in page


def test_the_points_of_a_curve_stay_inside_its_frame(card):
    for curve in card["decision_curves"]:
        drawn = curve_figure(curve)
        for line in (drawn.model, drawn.band, drawn.biopsy_all, drawn.biopsy_none):
            for point in line.split():
                x, y = map(float, point.split(","))
                assert 30 <= x <= 210
                assert 10 <= y <= 190
        zero = drawn.y_ticks[0].position
        assert {point.split(",")[1] for point in drawn.biopsy_none.split()} == {
            str(zero)
        }


def test_a_curve_that_is_worth_nothing_says_so(card):
    for curve in card["decision_curves"]:
        curve["superior_at"] = []
        for point in curve["points"]:
            point |= {"net_benefit": -0.1, "low": -0.4, "high": 0.0}
    page = render(card)
    parse(page)
    assert page.count("At no threshold does the model's interval lie above both") == 2
    assert "\N{MINUS SIGN}10.0 (\N{MINUS SIGN}40.0 to 0.0)" in page


def test_a_stored_card_from_before_decision_curves_is_a_page_too(card):
    del card["decision_curves"]
    page = render(card)
    parse(page)
    assert "Decision curves" not in page


RATE = {"value": 0.9, "low": 0.8, "high": 0.95, "of": 50, "found": 45}
PART = {"images": 100, "malignant": 50, "sensitivity": RATE, "specificity": RATE}


def judged(**changes):
    return {
        "verdict": "failed",
        "at": "2026-01-02T03:04:05+00:00",
        "images": 200,
        "malignant": 100,
        "patients": 180,
        "auc": {"value": 0.91, "low": 0.87, "high": 0.94},
        "sensitivity": RATE,
        "specificity": RATE,
        "sizes": [],
        "sites": [],
        **changes,
    }


def test_the_locked_test_set_is_shown_by_size_and_by_site(card):
    calibration = {"images": 100, "error": 0.21, "by_chance": 0.05, "p_value": 0.001}
    sizes = [
        PART | {"band": "under-10", "calibration": calibration},
        PART | {"band": "unknown", "calibration": None},
    ]
    roi_kinds = [PART | {"kind": "loose-box", "auc": None}]
    page = render(
        card | {"gate": judged(sizes=sizes, sites=[PART, PART], roi_kinds=roi_kinds)}
    )
    parse(page)
    for words in (
        "200 images of 180 patients",
        "<strong>failed</strong>",
        "sensitivity 90.0\u00a0% (80.0–95.0)",
        "under 10 mm",
        "0.210 (0.050)",
        "site 2 of 2",
        "read with a box off by up to 30 %",
    ):
        assert words in page
    assert "No external test." not in page


def test_judgements_of_earlier_releases_and_those_without_figures_are_pages_too(card):
    earlier = judged(sizes=[PART | {"band": "10-20"}])
    nothing = dict.fromkeys(
        ("images", "malignant", "patients", "auc", "sensitivity", "specificity")
    )
    for gate in (earlier, judged(verdict="not-judged", **nothing)):
        page = render(card | {"gate": gate})
        parse(page)
        assert "None" not in page


def test_intervals_of_the_risk_are_listed_if_the_card_has_them(card):
    title = "How uncertain is a risk?"
    page = render(card)
    parse(page)
    assert title in page
    assert card["risk_intervals"]["guarantee"] in page
    del card["risk_intervals"]
    del card["recipe"]["judges_whole_pictures"]
    older = render(card)
    parse(older)
    assert title not in older
    assert "Foreign pictures" not in older
