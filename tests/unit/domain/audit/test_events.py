"""What may stand beside an event: every place in the code that records one is read, and its words are on this list.

A new word is added here by somebody who has made sure that nothing of a patient can be its value.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
ALLOWED = {
    "hashes and digests": {"image", "model", "live", "before", "after", "fingerprint"},
    "ids and numbers of our own": {
        "dataset",
        "run",
        "shadow",
        "outcome",
        "gate",
        "key",
        "person",
        "successor",
        "version",
        "versions",
        "study",
        "backup",
        "schema",
    },
    "counts and shares": {
        "images",
        "files",
        "attempt",
        "share",
        "columns",
        "rows",
        "cases",
        "readers",
    },
    "names of tags and chunks, with counts": {"removed"},
    "a key's last moment": {"until"},
    "how a dataset was split": {"by", "seed", "sites"},
    "words of our own lists": {
        "change",
        "why",
        "role",
        "recipe",
        "code",
        "verdict",
        "against",
        "objection",
        "consent",
        "ground",
        "phase",
    },
    "names of machines and models": {"worker", "name"},
    "what an operator writes of a model": {"reason"},
}
WORDS = set().union(*ALLOWED.values())
RECORDERS = ("record", "_record", "_part", "AuditEntry")
PLACES = {"case", "job", "details", "event", "case_id", "job_id", "hospital_id"}


def recorders() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function that mentions an Event or passes details on to one that does."""
    for folder in ("shared", "services", "cli"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            source = file.read_text()
            if "Event." in source and "audit" in source:
                functions = (
                    each
                    for each in ast.walk(ast.parse(source))
                    if isinstance(each, ast.FunctionDef)
                )
                yield from (
                    (f"{file.relative_to(ROOT)}:{each.name}", each)
                    for each in functions
                )


def words(function: ast.FunctionDef) -> Iterator[str]:
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and _name(call.func) in RECORDERS:
            for keyword in call.keywords:
                yield from _of_keyword(function, keyword)
            yield from (word for each in call.args for word in _of_dict(function, each))


def _of_keyword(function: ast.FunctionDef, keyword: ast.keyword) -> Iterator[str]:
    if keyword.arg and keyword.arg not in PLACES:
        yield keyword.arg
    elif not keyword.arg or keyword.arg == "details":
        yield from _of_dict(function, keyword.value)


def _of_dict(function: ast.FunctionDef, value: ast.expr) -> Iterator[str]:
    """Keys of a dict, of one assigned to a name in the function, or none if the name is the caller's own words."""
    if isinstance(value, ast.Dict):
        for key, member in zip(value.keys, value.values, strict=True):
            yield from [key.value] if key else _of_dict(function, member)
    elif isinstance(value, ast.IfExp):
        yield from (
            word
            for each in (value.body, value.orelse)
            for word in _of_dict(function, each)
        )
    elif isinstance(value, ast.Name):
        for each in ast.walk(function):
            if isinstance(each, ast.Assign) and value.id in map(_name, each.targets):
                yield from _of_dict(function, each.value)


def _name(node: ast.expr) -> str | None:
    return getattr(node, "attr", None) or getattr(node, "id", None)


FOUND = {
    place: found for place, function in recorders() if (found := set(words(function)))
}


@pytest.mark.parametrize("place", FOUND)
def test_only_words_known_to_hold_nothing_of_a_patient_stand_beside_an_event(place):
    assert FOUND[place] <= WORDS


def test_the_reading_of_the_code_finds_what_it_should():
    assert {"image"} <= FOUND["shared/cases/accept.py:_record"]
    assert {"model", "reason", "before", "verdict"} <= FOUND[
        "shared/ledger/models/repository.py:promote"
    ]
    assert {"before", "after"} <= FOUND["shared/ledger/hospitals/repository.py:change"]
    assert {"attempt"} <= FOUND["shared/ledger/jobs/queue.py:_record"]
    assert set().union(*FOUND.values()) <= WORDS


def test_no_word_is_allowed_that_nobody_uses():
    assert WORDS - set().union(*FOUND.values()) == set()
