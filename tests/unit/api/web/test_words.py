"""Both languages have the same texts, and every text of a page is in them."""

import re
from pathlib import Path
from string import Formatter

import pytest

from services.api.locales import korean_texts
from services.api.web import languages
from services.api.web.languages import TRANSLATIONS

WEB = Path(languages.__file__).parent
TEMPLATES = sorted(WEB.glob("templates/*.html"))
SCRIPTS = sorted(WEB.glob("static/*.js"))
MODULES = sorted(
    path
    for folder in (WEB, WEB / "pages", WEB / "pages" / "console", WEB / "plots")
    for path in folder.glob("*.py")
)
KEY = re.compile(r"""\bt\(\s*["']([a-z_]+\.[a-z0-9_.-]*[a-z0-9_-])["']\s*[,)]""")
SENTENCE = re.compile("[A-Z][a-z]+(?: [a-z]+){2,}")
QUOTED = re.compile(r"""(["'`])((?:(?!\1).)*)\1""")
OPEN_PARTICLE = re.compile(r"\((?:을|를|은|는|이|가|와|과|으)\)")
"""Both forms of a Korean particle, as in 을(를). The right one depends on the field before it."""


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_have_the_same_keys():
    assert TRANSLATIONS["en"].keys() == TRANSLATIONS["ko"].keys()


@pytest.mark.parametrize("key", TRANSLATIONS["en"].keys())
def test_both_sentences_use_the_same_fields(key):
    assert fields(TRANSLATIONS["en"](key)) == fields(TRANSLATIONS["ko"](key))


def test_no_korean_sentence_has_both_forms_of_a_particle():
    korean = TRANSLATIONS["ko"]
    keys = korean.keys()
    page_texts = [korean(key) for key in keys]
    problem_texts = [text for texts in korean_texts().values() for text in texts]
    texts = page_texts + problem_texts
    assert [text for text in texts if OPEN_PARTICLE.search(text)] == []


@pytest.mark.parametrize(
    "source", [*TEMPLATES, *SCRIPTS, *MODULES], ids=lambda path: path.name
)
def test_every_key_of_a_page_has_a_text(source):
    keys = KEY.findall(source.read_text())
    assert [key for key in keys if key not in TRANSLATIONS["en"]] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_contains_a_sentence(template):
    markup = re.compile(r"\{[{%#].*?[}%#]\}|<[^>]*>", flags=re.DOTALL)
    text = markup.sub(" ", template.read_text())
    assert SENTENCE.findall(text) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_contains_a_sentence(script):
    code = re.sub(r"^\s*//.*$", "", script.read_text(), flags=re.MULTILINE)
    quoted_texts = [text for _, text in QUOTED.findall(code)]
    assert [text for text in quoted_texts if SENTENCE.search(text)] == []
