import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.objects.errors import KeyInvalid
from shared.objects.keys import check_key, check_prefix, is_key


@pytest.mark.parametrize(
    "key", ["a", "objects/ab/cd", "named/features-v2/vgg16_fc1.npz", "A.b-c_d/0"]
)
def test_plain_names_are_keys(key):
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        ".hidden",
        "a/.partial",
        "a b",
        "ä",
        "a\n",
        "a\\b",
        "x" * 201,
        "a/" * 500 + "a",
    ],
)
def test_text_that_could_leave_the_store_or_hide_in_it_is_no_key(key):
    with pytest.raises(KeyInvalid):
        check_key(key)


@given(st.text())
def test_no_key_climbs_out(text):
    if is_key(text):
        assert not text.startswith("/")
        assert not any(part.startswith(".") or not part for part in text.split("/"))


@pytest.mark.parametrize("prefix", ["", "named/", "named/fe", "objects/ab"])
def test_a_prefix_is_the_beginning_of_a_key(prefix):
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["/", "../", "a//", ".partial/"])
def test_other_prefixes_are_refused(prefix):
    with pytest.raises(KeyInvalid):
        check_prefix(prefix)
