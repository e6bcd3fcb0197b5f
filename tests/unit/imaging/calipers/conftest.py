import pytest

from tests.builders import Screen


@pytest.fixture
def screen() -> Screen:
    return Screen()
