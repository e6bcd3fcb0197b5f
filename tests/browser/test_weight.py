"""Every page of the menu as each role opens it: light, of this machine alone, without complaint, open to everybody."""

import pytest

from shared.domain.roles import Role
from trials.benchmarks.pages import SIGN_IN, WAYS, heard, paths, weighed

MOST_BYTES = 200_000
FIRST = {
    entry.path: next(role for role in Role if entry.path in paths(role))
    for entry in WAYS
} | {SIGN_IN: None}
"""Each page with one role that may open it."""


@pytest.mark.parametrize("role", [None, *Role])
def test_no_page_is_heavy_or_asks_for_anything_elsewhere(open_page, stage, role):
    page = open_page(role)
    asked = heard(page)
    for path in paths(role):
        assert page.goto(path).status == 200, path
        assert weighed(page) < MOST_BYTES, path
    assert [url for url in asked if not url.startswith(stage.stack.url)] == []


def test_no_page_shuts_anybody_out(open_page, assert_accessible):
    pages = {role: open_page(role) for role in sorted(set(FIRST.values()), key=str)}
    for path, role in FIRST.items():
        pages[role].goto(path)
        assert_accessible(pages[role])
