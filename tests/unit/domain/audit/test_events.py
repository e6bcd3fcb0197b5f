"""The words that an audit event's details may have.

The test reads every place in the code that records an event, and checks its words against this
list. Who adds a word makes sure that its value can hold nothing of a patient.
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
EVENT_FIELDS = {"case", "job", "details", "event", "case_id", "job_id", "hospital_id"}


def recording_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of a file that mentions an Event and the audit trail."""
    for folder in ("shared", "services", "cli"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            source = file.read_text()
            if "Event." not in source or "audit" not in source:
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.FunctionDef):
                    yield f"{file.relative_to(ROOT)}:{node.name}", node


def recorded_words(function: ast.FunctionDef) -> set[str]:
    words: set[str] = set()
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or _name(call.func) not in RECORDERS:
            continue
        for keyword in call.keywords:
            words |= _keyword_words(function, keyword)
        for argument in call.args:
            words |= _dict_keys(function, argument)
    return words


def _keyword_words(function: ast.FunctionDef, keyword: ast.keyword) -> set[str]:
    if keyword.arg and keyword.arg not in EVENT_FIELDS:
        return {keyword.arg}
    if not keyword.arg or keyword.arg == "details":
        return _dict_keys(function, keyword.value)
    return set()


def _dict_keys(
    function: ast.FunctionDef,
    value: ast.expr,
    visited_names: frozenset[str] = frozenset(),
) -> set[str]:
    """Keys of a dict, or of a dict that the function assigns to a name.

    There are none if the name is a parameter: its words are those of the caller.
    """
    keys: set[str] = set()
    if isinstance(value, ast.Dict):
        for key, member in zip(value.keys, value.values, strict=True):
            if key:
                keys.add(key.value)
            else:
                keys |= _dict_keys(function, member, visited_names)
    elif isinstance(value, ast.IfExp):
        keys |= _dict_keys(function, value.body, visited_names)
        keys |= _dict_keys(function, value.orelse, visited_names)
    elif isinstance(value, ast.Name) and value.id not in visited_names:
        visited_names |= {value.id}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and value.id in map(_name, node.targets):
                keys |= _dict_keys(function, node.value, visited_names)
    return keys


def _name(node: ast.expr) -> str | None:
    return getattr(node, "attr", None) or getattr(node, "id", None)


WORDS_BY_FUNCTION: dict[str, set[str]] = {}
for name, node in recording_functions():
    words = recorded_words(node)
    if words:
        WORDS_BY_FUNCTION[name] = words
RECORDED_WORDS = set().union(*WORDS_BY_FUNCTION.values())


@pytest.mark.parametrize("function", WORDS_BY_FUNCTION)
def test_an_event_has_only_words_that_can_hold_nothing_of_a_patient(function):
    assert WORDS_BY_FUNCTION[function] <= WORDS


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("shared/cases/accept.py:_record", {"image"}),
        (
            "shared/ledger/models/repository.py:promote",
            {"model", "reason", "before", "verdict"},
        ),
        ("shared/ledger/hospitals/repository.py:change", {"before", "after"}),
        ("shared/ledger/jobs/queue.py:_record", {"attempt"}),
    ],
)
def test_the_words_of_known_functions_are_found(function, words):
    assert WORDS_BY_FUNCTION[function] >= words


def test_every_allowed_word_is_recorded_somewhere():
    assert WORDS <= RECORDED_WORDS
