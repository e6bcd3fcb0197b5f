import json

import pytest

from shared.bundles import save


@pytest.fixture(scope="module")
def folder(small_model, tmp_path_factory):
    where = tmp_path_factory.mktemp("bundles") / "small"
    save(small_model, where, synthetic=True)
    return where


def test_a_bundles_card_is_printed_as_json(sera, folder):
    code, out, _ = sera("card", folder)
    assert (code, json.loads(out)["model"]["name"]) == (0, "small")


def test_a_bundles_card_is_written_as_a_page(sera, folder, tmp_path):
    code, out, told = sera("card", folder, "--html", tmp_path / "card.html")
    assert (code, out) == (0, "")
    assert "card.html" in told
    assert (tmp_path / "card.html").read_text().startswith("<!DOCTYPE html>")


def test_a_place_that_cannot_be_written_is_told(sera, folder, tmp_path):
    code, _, told = sera("card", folder, "--html", tmp_path / "nowhere" / "card.html")
    assert code == 1
    assert "[page-unwritable]" in told


def test_a_folder_that_is_no_bundle_is_told(sera, tmp_path):
    code, _, told = sera("card", tmp_path)
    assert code == 1
    assert "[bundle-missing]" in told
