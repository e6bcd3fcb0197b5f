"""Every page of the menu for each role: small, from this server only, accessible."""

import pytest

from shared.domain.roles import Role
from trials.benchmarks.pages import (
    MENU_ENTRIES,
    SIGN_IN,
    loaded_bytes,
    paths,
    requested_urls,
)

MAX_BYTES = 200_000
ROLE_BY_PATH = {
    entry.path: next(role for role in Role if entry.path in paths(role))
    for entry in MENU_ENTRIES
} | {SIGN_IN: None}
"""A role that may open each page."""


@pytest.mark.parametrize("role", [None, *Role])
def test_every_page_is_small_and_loads_from_this_server_only(open_page, stage, role):
    page = open_page(role)
    urls = requested_urls(page)
    for path in paths(role):
        assert page.goto(path).status == 200, path
        assert loaded_bytes(page) < MAX_BYTES, path
    assert [url for url in urls if not url.startswith(stage.stack.url)] == []


def test_every_page_of_the_menu_is_accessible(open_page, assert_accessible):
    pages = {
        role: open_page(role) for role in sorted(set(ROLE_BY_PATH.values()), key=str)
    }
    for path, role in ROLE_BY_PATH.items():
        pages[role].goto(path)
        assert_accessible(pages[role])
