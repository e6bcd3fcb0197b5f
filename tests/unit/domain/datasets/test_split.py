from hypothesis import given
from hypothesis import strategies as st

from shared.domain.datasets.split import Group, draw_test_groups, group_name
from shared.domain.training.states import Split
from shared.learning import Sample

groups = st.lists(
    st.builds(
        Group,
        name=st.text("abcdef", min_size=1, max_size=6),
        image_count=st.integers(1, 5),
        malignant=st.booleans(),
        fixed_split=st.sampled_from([None, None, None, Split.TRAIN, Split.TEST]),
    ),
    unique_by=lambda group: group.name,
    max_size=60,
)


@given(groups, st.floats(0.01, 0.99), st.integers(0, 99))
def test_a_draw_keeps_fixed_parts_and_comes_as_near_to_the_share_as_whole_groups_allow(
    groups, share, seed
):
    parts = draw_test_groups(groups, share, seed)
    assert parts.keys() == {group.name for group in groups}
    for label in (False, True):
        stratum = [group for group in groups if group.malignant is label]
        assert all(group.fixed_split in (None, parts[group.name]) for group in stratum)
        test_images = 0
        fixed_test_images = 0
        for group in stratum:
            if parts[group.name] is Split.TEST:
                test_images += group.image_count
            if group.fixed_split is Split.TEST:
                fixed_test_images += group.image_count
        target_images = share * sum(group.image_count for group in stratum)
        assert test_images <= max(fixed_test_images, target_images + 2.5)


def test_single_images_are_drawn_to_the_exact_share_and_equal_seeds_draw_equal_parts():
    groups = [
        Group(name=f"image {number}", image_count=1, malignant=number % 4 == 0)
        for number in range(200)
    ]
    parts = draw_test_groups(groups, share=0.2, seed=3)
    assert draw_test_groups(groups, share=0.2, seed=3) == parts
    assert draw_test_groups(groups, share=0.2, seed=4) != parts
    test_names = {name for name, part in parts.items() if part is Split.TEST}
    assert len(test_names) == 40
    assert sum(group.malignant for group in groups if group.name in test_names) == 10


def test_the_order_of_the_groups_does_not_matter():
    groups = [
        Group(name=str(number), image_count=1 + number % 3, malignant=False)
        for number in range(30)
    ]
    parts = draw_test_groups(groups, share=0.3, seed=0)
    assert draw_test_groups(groups[::-1], share=0.3, seed=0) == parts


@given(st.none() | st.text(max_size=4), st.none() | st.text(max_size=4))
def test_images_stay_together_by_the_same_rule_as_in_learning(patient, site):
    sample = Sample("k", lambda: None, patient=patient, site=site, malignant=True)
    assert group_name("k", patient, site) == sample.group
