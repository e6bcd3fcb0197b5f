import importlib
import tomllib

import pytest

from services.api import languages
from services.api.hospitals.expected import NOTES
from services.api.languages import (
    SPOKEN,
    Language,
    errors,
    fields,
    korean,
    preferred,
    sentence,
    told_again,
)
from shared.domain.jobs import REASON_TEXT
from shared.domain.proof import TEXT
from shared.errors import SeraError
from shared.imaging.errors import RoiOutsideImage
from shared.ledger.drafts import THINGS, ImageDiffers

ELSEWHERE = (
    "services.api.app",
    "shared.learning.errors",
    "shared.learning.tuning.errors",
    "shared.features.errors",
    "shared.bundles.errors",
    "shared.imaging.files",
    "shared.safety",
    "shared.sealing",
)
"""The gateway, which loads nearly all errors, and those of the rest."""
NEVER_TOLD = (
    "shared.study",
    "shared.backup",
    "shared.ledger.migrate",
    "shared.ledger.refill",
    "shared.ledger.schema",
)
"""Errors of the command line, of migrations, and of services that do not start: the gateway tells none of them."""
PLAIN = {"invalid-request", "body-unreadable", "method-not-allowed"}
"""What is told without an error of ours."""


@pytest.fixture
def in_korean():
    token = SPOKEN.set(Language.KOREAN)
    yield
    SPOKEN.reset(token)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("fr, ko;q=0.1", "ko"),
        ("ko;q=0", "en"),
        ("en;q=0.5, ko ; q=0.7", "ko"),
        ("en, ko", "en"),
        ("de", "en"),
        ("*", "en"),
        ("ko;q=nonsense", "en"),
    ],
)
def test_the_language_that_a_caller_likes_best_is_taken(accepted, language):
    assert preferred(accepted) == language


def sentences():
    """Code -> the fields of each English sentence, of every error that the gateway or a failed job can tell."""
    for module in ELSEWHERE:
        importlib.import_module(module)
    for kind in errors(SeraError):
        if kind.__module__.startswith(
            ("shared.", "services.api")
        ) and not kind.__module__.startswith(NEVER_TOLD):
            for code in (
                {f"{thing}-differs" for thing in THINGS.values()}
                if kind is ImageDiffers
                else {kind.code}
            ):
                yield code, kind.text
    yield from REASON_TEXT.items()
    yield from NOTES.items()
    yield from ((f"fault-{fault}", text) for fault, text in TEXT.items())


def test_every_sentence_has_a_korean_one_with_the_same_fields():
    """One that is new has to be added to services/api/problems/ko.toml."""
    absent = [
        (code, english)
        for code, english in sentences()
        if not any(fields(each) == fields(english) for each in korean().get(code, ()))
    ]
    assert absent == []


def test_no_korean_sentence_is_of_a_code_that_is_gone():
    kept = {code for code in korean() if code.startswith(("judged-", "objection-"))}
    assert set(korean()) - kept == {code for code, _ in sentences()} | PLAIN


def test_english_that_the_gateway_keeps_a_copy_of_is_the_same_where_it_is_from():
    copied = tomllib.loads((languages.FOLDER / "en.toml").read_text())
    assert copied.items() <= set(sentences())


def test_korean_is_told_to_those_who_prefer_it(in_korean):
    error = RoiOutsideImage(roi="[1, 2, 300, 4]", width=200, height=100)
    detail, language = sentence(error.code, error.facts, str(error))
    assert detail.startswith("관심 영역(ROI) [1, 2, 300, 4]이(가) 영상(200 x 100)을 벗어납니다.")
    assert language == "ko"
    assert told_again(error.code, str(error)) == detail


def test_of_sentences_with_one_code_the_one_of_its_facts_is_told(in_korean):
    assert "limit" not in sentence("too-large", {"limit_mib": 20}, "")[0]
    assert "20 MiB" in sentence("too-large", {"limit_mib": 20}, "")[0]
    assert "8 KiB" in sentence("too-large", {"limit_kib": 8}, "")[0]


def test_what_is_not_known_stays_in_english(in_korean):
    assert sentence("of-tomorrow", {}, "A new one.") == ("A new one.", Language.ENGLISH)
    assert (
        told_again("image-blank", "Said otherwise by an older worker.")
        == "Said otherwise by an older worker."
    )
    assert told_again(None, None) is None


def test_english_is_told_as_it_is():
    assert sentence("image-blank", {}, "As it is.") == ("As it is.", Language.ENGLISH)
    assert told_again("image-blank", "As it is.") == "As it is."
