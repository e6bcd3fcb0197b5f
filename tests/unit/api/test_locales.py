import importlib
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api import locales
from services.api.hospitals.expected import NOTES
from services.api.locales import (
    CURRENT_LANGUAGE,
    Language,
    korean_texts,
    message_text,
    preferred_language,
    sentence,
    text_of_code,
)
from shared.domain.audit.verification import FAULT_TEXTS
from shared.domain.messages import Message, fact_names, format_text
from shared.domain.texts import (
    ERRORS,
    GATE,
    INTERNAL,
    JOBS,
    OBJECTIONS,
    PROGRESS,
    ROI_KINDS,
    ROWS,
    RUNS,
    SHADOWS,
    STEPS,
    TABLES,
)
from shared.errors import SeraError
from shared.imaging.errors import RoiOutsideImage
from shared.ledger.datasets.drafts import COLUMN_WORDS, ImageDiffers

MODULES = (
    "services.api.app",
    "services.trainer.steps",
    "services.worker.inference.loop",
    "shared.networks.errors",
    "shared.learning.errors",
    "shared.learning.tuning.errors",
    "shared.features.errors",
    "shared.bundles.errors",
    "shared.domain.regular_files",
    "shared.security.production_checks",
    "shared.security.audit_signing",
)
"""The gateway, which imports nearly all errors, and modules with the other ones."""
UNANSWERED_MODULES = (
    "shared.study",
    "shared.backup",
    "shared.ledger.schema.migrate",
    "shared.ledger.backup.restore",
    "shared.ledger.schema.compatibility",
)
"""Modules with errors of the command line, of migrations, and of services that do not start.

The gateway never answers with them."""
PACKAGES = ("shared.", "services.")
UNSTORED_CODES = {"file-unreadable", "bundle-exists", "unsafe-settings"}
"""Errors of the command line, and of a service that does not start. They are never stored."""
HANDLED_CODES = {"step-lost", "closing", "spare-taken"}
"""Errors that a worker or a trainer handles itself. They have no sentence."""
FIGURES = {
    "auc": 0.812,
    "live": 0.9,
    "difference": -0.088,
    "level": 0.9,
    "low": -0.12,
    "high": -0.05,
}
MESSAGE_TEXTS = (
    GATE,
    INTERNAL,
    JOBS,
    OBJECTIONS,
    PROGRESS,
    ROI_KINDS,
    ROWS,
    RUNS,
    SHADOWS,
    STEPS,
    TABLES,
)
CODES_WITHOUT_CLASS = {"invalid-request", "body-unreadable", "method-not-allowed"}
"""Codes of problems without an error class."""


@pytest.fixture
def in_korean():
    token = CURRENT_LANGUAGE.set(Language.KOREAN)
    yield
    CURRENT_LANGUAGE.reset(token)


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
def test_the_language_with_the_highest_preference_is_used(accepted, language):
    assert preferred_language(accepted) == language


def any_facts(text: str) -> dict[str, str]:
    """Return a text for each field. A stored fact may be a text, whatever the field's format."""
    return dict.fromkeys(fact_names(text), "7")


def error_classes() -> Iterator[type[SeraError]]:
    """Yield every error class that the gateway can answer with or that the ledger can store."""
    for module in MODULES:
        importlib.import_module(module)
    for error_class in subclasses(SeraError):
        if not error_class.__module__.startswith(
            PACKAGES
        ) or error_class.__module__.startswith(UNANSWERED_MODULES):
            continue
        if error_class.code not in HANDLED_CODES:
            yield error_class


def subclasses(error_class: type[SeraError]) -> Iterator[type[SeraError]]:
    """Yield a class and all its subclasses."""
    yield error_class
    for subclass in error_class.__subclasses__():
        yield from subclasses(subclass)


def sentences() -> Iterator[tuple[str, str]]:
    """Yield each English sentence with its code: of errors and of other messages."""
    for error_class in error_classes():
        codes = {f"{column}-differs" for column in COLUMN_WORDS.values()}
        for code in codes if error_class is ImageDiffers else {error_class.code}:
            yield code, error_class.text
    for texts in MESSAGE_TEXTS:
        yield from (
            (code, text) for code, code_texts in texts.items() for text in code_texts
        )
    yield from NOTES.items()
    yield from ((f"fault-{fault}", text) for fault, text in FAULT_TEXTS.items())


def test_every_sentence_has_a_korean_translation_with_the_same_fields():
    """A new sentence must be added to services/api/problems/ko.toml."""
    untranslated = [
        (code, english)
        for code, english in sentences()
        if not any(
            fact_names(korean_text) == fact_names(english)
            for korean_text in korean_texts().get(code, ())
        )
    ]
    assert untranslated == []


def test_every_korean_sentence_has_a_known_code():
    assert (
        set(korean_texts()) == {code for code, _ in sentences()} | CODES_WITHOUT_CLASS
    )


def test_stored_english_texts_equal_those_of_the_error_classes():
    stored = {(code, text) for code, texts in ERRORS.items() for text in texts}
    assert stored <= {
        (error_class.code, error_class.text) for error_class in error_classes()
    }


def test_the_gateway_has_the_english_text_of_every_stored_error():
    program = (
        "import json, services.api.app; from shared.domain.texts import TEXTS; "
        "print(json.dumps(TEXTS))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    texts = json.loads(completed.stdout)
    stored_errors = [
        error_class
        for error_class in error_classes()
        if error_class.code not in UNSTORED_CODES
    ]
    assert [
        error_class
        for error_class in stored_errors
        if error_class.text not in texts.get(error_class.code, ())
    ] == []


def test_code_and_facts_of_any_error_give_its_sentence():
    """Errors with the same code and the same facts may have each other's sentence."""
    texts = defaultdict(set)
    for error_class in error_classes():
        texts[error_class.code, fact_names(error_class.text)].add(error_class.text)
    for error_class in set(error_classes()) - {ImageDiffers}:
        facts = any_facts(error_class.text)
        stored = json.loads(json.dumps(Message(error_class.code, facts).to_json()))
        possible_sentences = {
            format_text(text, facts, str)
            for text in texts[error_class.code, fact_names(error_class.text)]
        }
        assert (
            text_of_code(stored["code"], stored["facts"], Language.ENGLISH)
            in possible_sentences
        )
        assert re.search(
            "[가-힣]", text_of_code(stored["code"], stored["facts"], Language.KOREAN)
        )


def test_stored_messages_have_a_sentence_in_both_languages():
    for texts in MESSAGE_TEXTS:
        for code, english in [
            (code, text) for code, code_texts in texts.items() for text in code_texts
        ]:
            facts = any_facts(english)
            (korean_text,) = [
                candidate
                for candidate in korean_texts()[code]
                if fact_names(candidate) == fact_names(english)
            ]
            assert text_of_code(code, facts, Language.ENGLISH) == format_text(
                english, facts, str
            )
            assert text_of_code(code, facts, Language.KOREAN) == format_text(
                korean_text, facts, str
            )


def test_a_korean_caller_gets_the_korean_sentence(in_korean):
    error = RoiOutsideImage(roi="[1, 2, 300, 4]", width=200, height=100)
    detail, language = sentence(error.code, error.facts, str(error))
    assert detail.startswith(
        "관심영역(ROI)이 영상(200 x 100)을 벗어납니다: [1, 2, 300, 4]."
    )
    assert language == "ko"
    assert text_of_code(error.code, error.facts) == detail


def test_the_facts_select_among_sentences_of_one_code(in_korean):
    assert "limit" not in sentence("too-large", {"limit_mib": 20}, "")[0]
    assert "20 MiB" in sentence("too-large", {"limit_mib": 20}, "")[0]
    assert "8 KiB" in sentence("too-large", {"limit_kib": 8}, "")[0]


def test_an_unknown_code_stays_in_english(in_korean):
    assert sentence("of-tomorrow", {}, "A new one.") == ("A new one.", Language.ENGLISH)


def test_a_code_without_a_text_for_its_facts_has_no_sentence():
    assert text_of_code("of-tomorrow", {}) is None
    assert text_of_code("image-too-small", {"width": 12}) is None
    assert message_text(Message("of-tomorrow")) == "of-tomorrow"


def test_a_nested_message_is_in_the_language_of_the_sentence():
    reasons = [
        Message("judged-calibration-unknown"),
        Message("judged-auc-worse", FIGURES),
    ]
    message = Message("gate-failed", {"against": reasons})
    for restored in (
        message,
        Message.from_json(json.loads(json.dumps(message.to_json()))),
    ):
        assert message_text(restored, Language.ENGLISH) == str(message)
        korean_sentence = message_text(restored, Language.KOREAN)
        assert (
            "보정 상태를 알 수 없습니다. AUC 0.812, 운영 중인 모델 0.900"
            in korean_sentence
        )


def test_english_is_not_changed():
    assert sentence("image-blank", {}, "As it is.") == ("As it is.", Language.ENGLISH)


def test_no_service_builds_a_pattern_from_a_text():
    services = Path(locales.__file__).parents[1]
    assert [
        file for file in services.rglob("*.py") if "re.escape" in file.read_text()
    ] == []
