from hypothesis import given
from hypothesis import strategies as st

from shared.domain.datasets.split import Group, draw_test_groups, group_name
from shared.domain.training.states import Split
from shared.learning import Sample

groups = st.lists(
    st.builds(
        Group,
        name=st.text("abcdef", min_size=1, max_size=6),
        images=st.integers(1, 5),
        malignant=st.booleans(),
        fixed=st.sampled_from([None, None, None, Split.TRAIN, Split.TEST]),
    ),
    unique_by=lambda group: group.name,
    max_size=60,
)


@given(groups, st.floats(0.01, 0.99), st.integers(0, 99))
def test_a_draw_keeps_what_is_fixed_and_comes_as_near_to_the_share_as_whole_groups_allow(
    groups, share, seed
):
    parts = draw_test_groups(groups, share, seed)
    assert parts.keys() == {group.name for group in groups}
    for label in (False, True):
        stratum = [group for group in groups if group.malignant is label]
        assert all(group.fixed in (None, parts[group.name]) for group in stratum)
        drawn = sum(
            group.images for group in stratum if parts[group.name] is Split.TEST
        )
        fixed = sum(group.images for group in stratum if group.fixed is Split.TEST)
        wanted = share * sum(group.images for group in stratum)
        assert drawn <= max(fixed, wanted + 2.5)


def test_single_images_are_drawn_to_the_very_share_and_equal_seeds_draw_equal_parts():
    groups = [Group(f"image {number}", 1, number % 4 == 0) for number in range(200)]
    first, again, other = (draw_test_groups(groups, 0.2, seed) for seed in (3, 3, 4))
    assert first == again != other
    test = {name for name, part in first.items() if part is Split.TEST}
    assert len(test) == 40
    assert sum(group.malignant for group in groups if group.name in test) == 10


def test_the_order_of_the_groups_does_not_matter():
    groups = [Group(str(number), 1 + number % 3, False) for number in range(30)]
    assert draw_test_groups(groups, 0.3, 0) == draw_test_groups(groups[::-1], 0.3, 0)


@given(st.none() | st.text(max_size=4), st.none() | st.text(max_size=4))
def test_images_stay_together_by_the_rule_that_learning_has(patient, site):
    sample = Sample("k", True, load=lambda: None, patient=patient, site=site)
    assert group_name("k", patient, site) == sample.group
