import json

import pytest

from shared.bundles import save


@pytest.fixture(scope="module")
def folder(small_model, tmp_path_factory):
    bundle_folder = tmp_path_factory.mktemp("bundles") / "small"
    save(small_model, bundle_folder, synthetic=True)
    return bundle_folder


def test_a_bundles_card_is_printed_as_json(sera, folder):
    code, stdout, _ = sera("card", folder)
    assert (code, json.loads(stdout)["model"]["name"]) == (0, "small")


def test_a_bundles_card_is_written_as_a_page(sera, folder, tmp_path):
    code, stdout, output = sera("card", folder, "--html", tmp_path / "card.html")
    assert (code, stdout) == (0, "")
    assert "card.html" in output
    assert (tmp_path / "card.html").read_text().startswith("<!DOCTYPE html>")


def test_a_place_that_cannot_be_written_is_told(sera, folder, tmp_path):
    code, _, output = sera("card", folder, "--html", tmp_path / "nowhere" / "card.html")
    assert code == 1
    assert "[page-unwritable]" in output


def test_a_folder_that_is_no_bundle_is_told(sera, tmp_path):
    code, _, output = sera("card", tmp_path)
    assert code == 1
    assert "[bundle-missing]" in output
