import pytest

from shared.ledger.edit_conflicts import (
    EditConflict,
    changed_settings,
    check_tags,
    settings_tag,
)

SETTINGS = {"prevalence": 0.2, "fna_rule": None, "weight": 2.0}
TAG = settings_tag(SETTINGS)


@pytest.mark.parametrize("tags", [None, {TAG}, {"other", TAG}, {"*"}])
def test_a_write_that_is_meant_for_what_is_there_is_let_through(tags):
    check_tags(tags and frozenset(tags), TAG, lambda: "Nothing.")


@pytest.mark.parametrize("tags", [set(), {"other"}, {TAG[:-1]}])
def test_a_write_that_is_meant_for_something_else_is_told_what_came_between(tags):
    with pytest.raises(EditConflict, match="The prevalence was changed"):
        check_tags(frozenset(tags), TAG, lambda: "The prevalence was changed.")


@pytest.mark.parametrize(
    "change", [{"prevalence": 0.3}, {"fna_rule": "x", "weight": None}, {}]
)
def test_the_settings_that_differ_are_named(change):
    earlier_tag = settings_tag(SETTINGS | change)
    assert changed_settings(
        SETTINGS, frozenset({earlier_tag, "of something else"})
    ) == list(change)
    assert (earlier_tag == TAG) is not bool(change)


def test_of_several_tags_the_nearest_tells_what_differs():
    nearest_tag = settings_tag(SETTINGS | {"weight": 1.0})
    far = settings_tag({"prevalence": 0.1, "fna_rule": "x", "weight": 1.0})
    assert changed_settings(SETTINGS, frozenset({nearest_tag, far})) == ["weight"]
    assert (
        changed_settings(SETTINGS, frozenset({"7"}))
        == changed_settings(SETTINGS, None)
        == []
    )
