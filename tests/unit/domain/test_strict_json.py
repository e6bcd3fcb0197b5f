import pytest

from shared.domain.strict_json import KeyRepeated, NotFinite, load_json


def test_plain_json_is_read() -> None:
    assert load_json('{"box": [1, 2.5, 30, 4e1]}') == {"box": [1, 2.5, 30, 40.0]}


@pytest.mark.parametrize("text", ['{"a": NaN}', "[-Infinity]", "1e400", "[-1e400]"])
def test_numbers_that_are_not_finite_are_refused(text: str) -> None:
    with pytest.raises(NotFinite):
        load_json(text)


def test_a_key_that_is_there_twice_is_refused() -> None:
    with pytest.raises(KeyRepeated) as refusal:
        load_json('{"a": {"b": 1, "b": 2}}')
    assert refusal.value.key == "b"
