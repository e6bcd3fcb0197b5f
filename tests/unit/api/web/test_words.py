"""Both languages say the same things, and the pages ask for nothing that is not said."""

import re
from pathlib import Path
from string import Formatter

import pytest

from services.api.web import languages
from services.api.web.languages import TRANSLATIONS

WEB = Path(languages.__file__).parent
SOURCES = sorted(
    [*WEB.glob("templates/*.html"), *WEB.glob("static/*.js"), *WEB.glob("**/*.py")]
)
ASKED = re.compile(r"""\bt\(\s*["']([a-z_]+\.[a-z0-9_.-]*[a-z0-9_-])["']\s*[,)]""")


def fields(said: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(said) if name is not None}


def test_both_languages_have_the_same_keys():
    assert TRANSLATIONS["en"].keys() == TRANSLATIONS["ko"].keys()


@pytest.mark.parametrize("key", TRANSLATIONS["en"].keys())
def test_both_sentences_use_the_same_fields(key):
    assert fields(TRANSLATIONS["en"](key)) == fields(TRANSLATIONS["ko"](key))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_key_that_a_page_asks_for_is_said(source):
    assert [
        key for key in ASKED.findall(source.read_text()) if key not in TRANSLATIONS["en"]
    ] == []


SENTENCE = re.compile("[A-Z][a-z]+(?: [a-z]+){2,}")
SAID = re.compile(r"""(["'`])((?:(?!\1).)*)\1""")
"""What a script holds between quotes."""


@pytest.mark.parametrize(
    "source",
    [each for each in SOURCES if each.suffix == ".html"],
    ids=lambda path: path.name,
)
def test_no_sentence_stands_in_a_template_itself(source):
    bare = re.sub(
        r"\{[{%#].*?[}%#]\}|<[^>]*>", " ", source.read_text(), flags=re.DOTALL
    )
    assert SENTENCE.findall(bare) == []


@pytest.mark.parametrize(
    "source",
    [each for each in SOURCES if each.suffix == ".js"],
    ids=lambda path: path.name,
)
def test_no_sentence_stands_in_a_script_itself(source):
    code = re.sub(r"^\s*//.*$", "", source.read_text(), flags=re.MULTILINE)
    assert [said for _, said in SAID.findall(code) if SENTENCE.search(said)] == []
