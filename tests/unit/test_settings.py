import pytest
from pydantic import ValidationError

from shared.settings import Settings


def test_a_batch_is_not_taken_away_while_an_image_of_it_may_still_be_read():
    with pytest.raises(ValidationError, match="Raise it or lower the other"):
        Settings(decode_s=100, stuck_after_s=150)
    assert Settings(decode_s=100, stuck_after_s=200).stuck_after_s == 200


def test_a_case_is_never_given_up_for_the_first_worker_lost_with_it():
    with pytest.raises(ValidationError, match="max_attempts"):
        Settings(max_attempts=1)
