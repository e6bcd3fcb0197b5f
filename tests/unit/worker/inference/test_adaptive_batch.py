from hypothesis import given
from hypothesis import strategies as st

from services.worker.inference.adaptive_batch import AdaptiveBatch

SECONDS = st.floats(0, 100, allow_nan=False)


def test_it_is_the_most_until_something_was_read():
    assert AdaptiveBatch(16, 1.0).size() == 16


def test_it_is_what_can_be_read_in_the_given_time():
    batch = AdaptiveBatch(16, 1.0)
    batch.record(16, 3.2)
    assert batch.size() == 5


def test_it_follows_a_model_that_is_slower_or_faster():
    batch = AdaptiveBatch(16, 1.0)
    for seconds, expected in ((0.1, 10), (0.3, 5), (0.0, 10)):
        batch.record(1, seconds)
        assert batch.size() == expected


@given(st.lists(st.tuples(st.integers(0, 16), SECONDS)))
def test_it_is_never_nothing_and_never_over_the_most(batches):
    batch = AdaptiveBatch(16, 1.0)
    for images, seconds in batches:
        batch.record(images, seconds)
        assert 1 <= batch.size() <= 16
