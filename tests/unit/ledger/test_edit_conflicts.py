import pytest

from shared.ledger.edit_conflicts import ChangedMeanwhile, check, differing, tag_of

SETTINGS = {"prevalence": 0.2, "fna_rule": None, "weight": 2.0}
TAG = tag_of(SETTINGS)


@pytest.mark.parametrize("tags", [None, {TAG}, {"other", TAG}, {"*"}])
def test_a_write_that_is_meant_for_what_is_there_is_let_through(tags):
    check(tags and frozenset(tags), TAG, lambda: "Nothing.")


@pytest.mark.parametrize("tags", [set(), {"other"}, {TAG[:-1]}])
def test_a_write_that_is_meant_for_something_else_is_told_what_came_between(tags):
    with pytest.raises(ChangedMeanwhile, match="The prevalence was changed"):
        check(frozenset(tags), TAG, lambda: "The prevalence was changed.")


@pytest.mark.parametrize(
    "change", [{"prevalence": 0.3}, {"fna_rule": "x", "weight": None}, {}]
)
def test_the_settings_that_differ_are_named(change):
    before = tag_of(SETTINGS | change)
    assert differing(SETTINGS, frozenset({before, "of something else"})) == list(change)
    assert (before == TAG) is not bool(change)


def test_of_several_tags_the_nearest_tells_what_differs():
    near = tag_of(SETTINGS | {"weight": 1.0})
    far = tag_of({"prevalence": 0.1, "fna_rule": "x", "weight": 1.0})
    assert differing(SETTINGS, frozenset({near, far})) == ["weight"]
    assert differing(SETTINGS, frozenset({"7"})) == differing(SETTINGS, None) == []
