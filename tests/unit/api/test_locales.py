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
    RUNS,
    SHADOWS,
    STEPS,
)
from shared.errors import SeraError
from shared.imaging.errors import RoiOutsideImage
from shared.ledger.datasets.drafts import COLUMN_WORDS, ImageDiffers

ELSEWHERE = (
    "services.api.app",
    "services.trainer.steps",
    "services.worker.inference.loop",
    "shared.networks.errors",
    "shared.learning.errors",
    "shared.learning.tuning.errors",
    "shared.features.errors",
    "shared.bundles.errors",
    "shared.imaging.files",
    "shared.security.production_checks",
    "shared.security.audit_signing",
)
"""The gateway, which loads nearly all errors, and those of the rest."""
NEVER_TOLD = (
    "shared.study",
    "shared.backup",
    "shared.ledger.schema.migrate",
    "shared.ledger.backup.restore",
    "shared.ledger.schema.compatibility",
)
"""Errors of the command line, of migrations, and of services that do not start: the gateway tells
none of them."""
TOLD = ("shared.", "services.")
NEVER_KEPT = {"file-unreadable", "bundle-exists", "unsafe-settings"}
"""Errors of the command line, and of a service that does not start."""
DEALT_WITH = {"step-lost", "closing", "spare-taken"}
"""Errors that a worker or a trainer deals with itself: nobody is told of them."""
AREAS = {
    "auc": 0.812,
    "live": 0.9,
    "difference": -0.088,
    "level": 0.9,
    "low": -0.12,
    "high": -0.05,
}
OWN_TEXTS = (GATE, INTERNAL, JOBS, OBJECTIONS, PROGRESS, RUNS, SHADOWS, STEPS)
PLAIN = {"invalid-request", "body-unreadable", "method-not-allowed"}
"""What is told without an error of ours."""


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
    """A fact for each field, as a number that JSON has not is kept: in letters, whatever the
    field's format."""
    return dict.fromkeys(fact_names(text), "7")


def error_classes() -> Iterator[type[SeraError]]:
    """Every error that the gateway can tell, or that a failed job, a run or a refusal can keep."""
    for module in ELSEWHERE:
        importlib.import_module(module)
    for kind in derived(SeraError):
        if not kind.__module__.startswith(TOLD) or kind.__module__.startswith(
            NEVER_TOLD
        ):
            continue
        if kind.code not in DEALT_WITH:
            yield kind


def derived(kind: type[SeraError]) -> Iterator[type[SeraError]]:
    """This one and all that derive from it."""
    yield kind
    for own in kind.__subclasses__():
        yield from derived(own)


def sentences() -> Iterator[tuple[str, str]]:
    """Each English sentence by its code: of errors, and of what is none."""
    for kind in error_classes():
        codes = {f"{thing}-differs" for thing in COLUMN_WORDS.values()}
        for code in codes if kind is ImageDiffers else {kind.code}:
            yield code, kind.text
    for texts in OWN_TEXTS:
        yield from ((code, text) for code, of_code in texts.items() for text in of_code)
    yield from NOTES.items()
    yield from ((f"fault-{fault}", text) for fault, text in FAULT_TEXTS.items())


def test_every_sentence_has_a_korean_translation_with_the_same_fields():
    """One that is new has to be added to services/api/problems/ko.toml."""
    absent = [
        (code, english)
        for code, english in sentences()
        if not any(
            fact_names(korean_text) == fact_names(english)
            for korean_text in korean_texts().get(code, ())
        )
    ]
    assert absent == []


def test_every_korean_sentence_has_a_known_code():
    assert set(korean_texts()) == {code for code, _ in sentences()} | PLAIN


def test_stored_english_texts_equal_those_of_the_error_classes():
    names = {(code, text) for code, texts in ERRORS.items() for text in texts}
    assert names <= {(kind.code, kind.text) for kind in error_classes()}


def test_the_gateway_has_the_english_text_of_every_stored_error():
    alone = (
        "import json, services.api.app; from shared.domain.texts import TEXTS; "
        "print(json.dumps(TEXTS))"
    )
    told = subprocess.run(
        [sys.executable, "-c", alone], capture_output=True, text=True, check=True
    )
    texts = json.loads(told.stdout)
    rows = [kind for kind in error_classes() if kind.code not in NEVER_KEPT]
    assert [kind for kind in rows if kind.text not in texts.get(kind.code, ())] == []


def test_code_and_facts_of_any_error_give_its_sentence():
    """Where errors of one code have the same facts, they have each other's."""
    texts = defaultdict(set)
    for kind in error_classes():
        texts[kind.code, fact_names(kind.text)].add(kind.text)
    for kind in set(error_classes()) - {ImageDiffers}:
        facts = any_facts(kind.text)
        stored = json.loads(json.dumps(Message(kind.code, facts).to_json()))
        of_code = {
            format_text(text, facts, str)
            for text in texts[kind.code, fact_names(kind.text)]
        }
        assert (
            text_of_code(stored["code"], stored["facts"], Language.ENGLISH) in of_code
        )
        assert re.search(
            "[가-힣]", text_of_code(stored["code"], stored["facts"], Language.KOREAN)
        )


def test_stored_messages_have_a_sentence_in_both_languages():
    for texts in OWN_TEXTS:
        for code, english in [
            (code, text) for code, of_code in texts.items() for text in of_code
        ]:
            facts = any_facts(english)
            (korean_text,) = [
                one
                for one in korean_texts()[code]
                if fact_names(one) == fact_names(english)
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
    against = [
        Message("judged-calibration-unknown"),
        Message("judged-auc-worse", AREAS),
    ]
    message = Message("gate-failed", {"against": against})
    for kept in (message, Message.from_json(json.loads(json.dumps(message.to_json())))):
        assert message_text(kept, Language.ENGLISH) == str(message)
        korean_sentence = message_text(kept, Language.KOREAN)
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
