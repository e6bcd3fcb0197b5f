import re
import shutil
from html.parser import HTMLParser

import pytest

from shared.bundles import load
from shared.bundles.card import model_card
from shared.cards import render
from tests.support.builders import as_format_2

VOID = {"meta"}


class Balance(HTMLParser):
    """Collects tags, and checks that each is closed in turn."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def told(saved):
    return model_card(load(*saved))


def parsed(page):
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    return balance


def test_the_page_is_whole_and_fetches_and_runs_nothing(told):
    page = render(told)
    read = parsed(page)
    assert not {"script", "link", "img", "iframe"} & set(read.seen)
    assert not [
        name
        for name, _ in read.attributes
        if name.startswith("on") or name in ("src", "href", "style")
    ]
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_says_what_must_not_be_missed(told):
    page = render(told)
    for each in (
        "Synthetic.",
        "not a certified medical device",
        "Not meant for",
        "95 % interval",
        "follicular",
    ):
        assert each in page
    assert told["model"]["digest"] in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_the_name_in_the_ledger_stands_at_the_top(told):
    page = render(told | {"stored": {"name": "small/3", "live": True}})
    assert re.search(r"<h1>small/3 <span class=\"live\">live</span></h1>", page)


def test_a_name_cannot_bring_markup_in(told):
    told["data"]["sites"] = {"<script>alert(1)</script>": 2}
    assert "script" not in parsed(render(told)).seen


def test_a_card_of_an_old_bundle_is_a_page_too(saved, tmp_path):
    page = render(model_card(load(as_format_2(shutil.copytree(saved[0], tmp_path / "old")))))
    parsed(page)
    assert "counts were not kept" in page
    assert "bundle format 2" in page
