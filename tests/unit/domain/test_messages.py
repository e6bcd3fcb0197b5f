import ast
import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from shared.bundles.errors import BundleNotReproduced
from shared.domain.messages import (
    Message,
    fact_names,
    format_text,
    select_text,
    to_json,
)
from shared.domain.texts import TEXTS
from shared.errors import InputError

ROOT = Path(__file__).parents[3]


class Colour(StrEnum):
    GREY = "grey"


@pytest.mark.parametrize(
    ("fact", "stored"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (0.25, 0.25),
        (np.int64(7), 7),
        (np.float64(0.25), 0.25),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Colour.GREY, "grey"),
        (Path("/a/b"), "/a/b"),
        ((1, "two"), [1, "two"]),
        ({"x": np.float32(0.5)}, {"x": 0.5}),
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\ud800b", "a?b"),
        (
            Message("step-done", {"step": "plan"}),
            {"code": "step-done", "facts": {"step": "plan"}},
        ),
    ],
)
def test_facts_become_json_that_the_database_takes(fact, stored):
    assert to_json({"fact": fact}) == {"fact": stored}
    assert json.loads(json.dumps(to_json({"fact": fact}), allow_nan=False)) == {
        "fact": stored
    }


def test_what_is_kept_of_an_error_is_its_code_and_facts():
    error = BundleNotReproduced(case=3, found=0.5, expected=0.25)
    assert error.message.to_json() == {
        "code": "bundle-not-reproduced",
        "facts": {"case": 3, "found": 0.5, "expected": 0.25},
    }
    assert str(Message.from_json(error.message.to_json())) == str(error)


def test_a_number_that_json_has_not_is_told_in_letters_whatever_its_format():
    error = BundleNotReproduced(case=3, found=float("nan"), expected=0.25)
    assert "with nan here, and with 0.2500" in str(
        Message.from_json(error.message.to_json())
    )


def test_the_text_that_says_most_of_the_facts_is_taken():
    texts = ("on all", "fold {fold}", "fold {fold} of {folds}")
    assert select_text(texts, {}) == "on all"
    assert select_text(texts, {"fold": 1, "rate": 2}) == "fold {fold}"
    assert select_text(texts, {"fold": 1, "folds": 4}) == "fold {fold} of {folds}"
    assert select_text(texts[1:], {}) is None
    assert fact_names(texts[2]) == {"fold", "folds"}


def test_facts_that_are_messages_become_sentences_of_their_own():
    inner = Message("step-done", {"step": "plan"})
    assert format_text(
        "{one} And: {many}", {"one": inner, "many": [inner, inner]}, str
    ) == ("plan is done And: plan is done plan is done")
    assert format_text("{none}", {"none": []}, str) == ""


def messages_in_the_code() -> Iterator[tuple[str, str, set[str] | None]]:
    """Code and fact names of each message in the code; None where they are not literals."""
    for folder in ("shared", "services", "cli"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for call in ast.walk(ast.parse(file.read_text())):
                if (
                    not isinstance(call, ast.Call)
                    or getattr(call.func, "id", "") != "Message"
                ):
                    continue
                code, *facts = call.args
                if isinstance(code, ast.Constant):
                    yield (
                        f"{file.relative_to(ROOT)}:{call.lineno}",
                        code.value,
                        _names(facts),
                    )


def _names(facts: list[ast.expr]) -> set[str] | None:
    if not facts:
        return set()
    literal = facts[0] if isinstance(facts[0], ast.Dict) else None
    return literal and {
        key.value for key in literal.keys if isinstance(key, ast.Constant)
    }


def test_every_message_that_the_code_makes_has_a_text_that_its_facts_fill():
    messages = list(messages_in_the_code())
    assert [(place, code) for place, code, _ in messages if code not in TEXTS] == []
    unfilled = [
        (place, code, names)
        for place, code, names in messages
        if names is not None and select_text(TEXTS[code], dict.fromkeys(names)) is None
    ]
    assert unfilled == []
    assert len(messages) > 20


def test_a_code_without_a_text_is_told_as_it_is():
    assert str(Message("of-tomorrow", {"a": 1})) == "of-tomorrow"
    assert str(Message("step-done")) == "step-done"


def test_an_error_joins_the_texts_by_its_code():
    class OfThisTest(InputError):
        code = "of-this-test"
        text = "It measures {size_mm:g} mm."

    assert str(OfThisTest(size_mm=12.5).message) == "It measures 12.5 mm."
