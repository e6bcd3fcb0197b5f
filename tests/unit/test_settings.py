import pytest
from pydantic import ValidationError

from shared.settings import Settings


def test_the_stuck_limit_is_at_least_twice_the_decode_limit():
    with pytest.raises(ValidationError, match="Raise it or lower the other"):
        Settings(decode_s=100, stuck_after_s=150)
    assert Settings(decode_s=100, stuck_after_s=200).stuck_after_s == 200


def test_a_case_gets_at_least_two_attempts():
    with pytest.raises(ValidationError, match="max_attempts"):
        Settings(max_attempts=1)
