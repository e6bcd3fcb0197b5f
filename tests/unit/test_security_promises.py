"""Every promise of docs/security.md names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
DISCLAIMER = re.compile(r"Not (protected|done|confined)\b")
"""How a paragraph begins that says what SERA does not do."""


def sections() -> dict[str, str]:
    """The text below each heading, from the promises on."""
    text = (ROOT / "docs/security.md").read_text()
    promises = text[text.index("## Promises and their tests") :]
    parts = re.split(r"^## (.+)$", promises, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def named_tests() -> list[tuple[str, str]]:
    text = "".join(sections().values())
    return sorted(set(TEST.findall(text)))


def promises() -> list[str]:
    """Each row of the table of promises, and each paragraph of the sections below it."""
    table, *others = sections().items()
    rows = [line for line in table[1].splitlines() if line.startswith("| ")][1:]
    paragraphs = [
        paragraph.strip()
        for name, section in others
        if name != "Reporting"
        for paragraph in section.split("\n\n")
    ]
    return [text for text in [*rows, *paragraphs] if text]


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    )


def test_every_named_test_exists():
    assert len(named_tests()) > 100
    missing = [
        f"{path}::{name}"
        for path, name in named_tests()
        if not (ROOT / path).is_file() or name not in functions(path)
    ]
    assert missing == []


@pytest.mark.parametrize("promise", promises(), ids=lambda promise: promise[:50])
def test_every_promise_names_a_test(promise):
    assert DISCLAIMER.match(promise) or TEST.search(promise)


def test_nothing_else_stands_among_the_tests():
    """A reference that this file does not read would be checked by nobody."""
    text = "".join(sections().values())
    assert re.findall(r"`tests/[^`]*`", TEST.sub("", text)) == [
        "`tests/unit/test_security_promises.py`"
    ]
