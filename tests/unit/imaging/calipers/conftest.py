import pytest

from tests.support.builders import Screen


@pytest.fixture
def screen() -> Screen:
    return Screen()
