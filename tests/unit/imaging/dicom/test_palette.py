import pytest

from shared.imaging.dicom.palette import unfold_segments


def test_discrete_and_linear_segments_are_joined():
    assert unfold_segments([0, 2, 10, 20, 1, 4, 60], entries=6) == [
        10,
        20,
        30,
        40,
        50,
        60,
    ]


def test_an_indirect_segment_repeats_earlier_ones():
    """From word 0: the discrete segment again, the linear one on from its last value."""
    words = [0, 1, 5, 1, 2, 9, 2, 2, 0, 0]
    assert unfold_segments(words, entries=6) == [5, 7, 9, 5, 7, 9]


def test_a_trailing_pad_word_is_passed_over():
    assert unfold_segments([0, 2, 1, 2, 0], entries=2) == [1, 2]


@pytest.mark.parametrize(
    "words",
    [
        [0, 3, 1, 2, 3],
        [1, 4, 60],
        [0, 1, 5],
        [0, 1, 5, 1, 65535, 9],
        [0, 0, 0, 0],
        [0, 1, 5, 2, 3, 3, 0],
    ],
    ids=[
        "too many",
        "linear first",
        "too few",
        "unbounded",
        "empty",
        "points to itself",
    ],
)
def test_segments_that_do_not_give_the_declared_table_are_refused(words):
    with pytest.raises((ValueError, IndexError)):
        unfold_segments(words, entries=2)
