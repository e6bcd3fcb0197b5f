"""The text of a result that the reader copies into the report, word for word."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.api.cases.assessment import DescriptorsView, assess_descriptors
from services.api.cases.reader_level import ReaderLevelView
from services.api.reports.sentences import translator
from services.api.reports.text import ReportedCase, report_text
from shared.domain.results.findings import Finding
from shared.domain.results.prediction import Verdict
from shared.guidelines import (
    DESCRIPTORS_EXAMPLE,
    descriptors_to_json,
    parse_descriptors,
)
from shared.version import VERSION
from tests.support.builders import result

LEVEL = ReaderLevelView(
    person_id=UUID(int=1),
    name="kim",
    guideline="ACR-2017",
    level="TR4",
    descriptors=None,
    at=datetime(2026, 3, 14, tzinfo=UTC),
)
REFERRED = result(
    decision=Verdict.REFER,
    warnings=(
        Finding("out-of-distribution", "It is strange."),
        Finding("calipers-removed", "Marks were removed."),
    ),
)
ANSWERED_TEXTS = {
    "en": f"""\
Thyroid ultrasound, second opinion by SERA {VERSION}
Case: A-1
Nodule: 14.5 mm (largest diameter)
Suspicion level: TR5, highly suspicious (ACR TI-RADS 2017, by risk (SERA rule 1))
Risk of malignancy: 42 % (31 % to 56 %). The score is above the model's cut-off. The risk holds \
where 23 % of the nodules are malignant. That is an assumption: no share is set for this hospital.
Recommendation: FNA recommended. 14.5 mm reaches the 10 mm threshold of TR5.
Reader before SERA's answer: TR4 (ACR TI-RADS 2017), kim
Please note: No ROI was given, so the whole B-mode image was read. A box around the nodule is better.
Model: light 2, digest 9f2c9f2c9f2c
For research and decision support; not a certified medical device.""",
    "ko": f"""\
갑상선 초음파, SERA {VERSION}의 참고 소견
증례: A-1
결절: 14.5 mm (최대 직경)
의심 단계: TR5, 고도 의심 (ACR TI-RADS 2017, 위험도 구간 기준(SERA 규칙 1))
악성 위험도: 42 % (31 %~56 %). 점수가 모델의 절단값보다 높습니다. 결절의 23 %가 악성일 때의 위험도입니다. \
이 병원에 설정된 비율이 없어 이 값은 가정입니다.
권고: 세침흡인검사를 권고함. 결절 크기 14.5 mm는 TR5의 기준인 10 mm 이상입니다.
SERA 결과 확인 전 판독의 단계: TR4 (ACR TI-RADS 2017), kim
유의 사항: 관심영역(ROI)이 없어 B-모드 영상 전체를 판독했습니다. 결절 둘레에 관심영역을 그리는 것이 좋습니다.
모델: light 2, 다이제스트 9f2c9f2c9f2c
연구와 의사 결정 지원용이며 인증된 의료기기가 아닙니다.""",
}
REFERRED_TEXTS = {
    "en": f"""\
Thyroid ultrasound, second opinion by SERA {VERSION}
Case: A-1
Nodule: 14.5 mm (largest diameter)
SERA: No answer: a radiologist should read this image.
Reason: This image is unlike those the model was trained on, so the risk is unreliable. Have a \
radiologist read it.
Please note: Burnt-in caliper marks were painted over before the image was read.
Model: light 2, digest 9f2c9f2c9f2c
For research and decision support; not a certified medical device.""",
    "ko": f"""\
갑상선 초음파, SERA {VERSION}의 참고 소견
증례: A-1
결절: 14.5 mm (최대 직경)
SERA: 판정 보류 (전문의 판독 필요).
사유: 모델이 학습한 영상과 다른 영상이므로 위험도를 신뢰할 수 없습니다. 영상의학과 전문의가 판독하십시오.
유의 사항: 영상에 새겨진 캘리퍼 표시를 지우고 판독했습니다.
모델: light 2, 다이제스트 9f2c9f2c9f2c
연구와 의사 결정 지원용이며 인증된 의료기기가 아닙니다.""",
}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_an_answer_is_told_line_by_line(language):
    case = ReportedCase(
        number="A-1", size_mm=14.5, result=result(), reader_levels=[LEVEL]
    )
    assert report_text(translator(language), case) == ANSWERED_TEXTS[language]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_referral_has_its_reason_and_no_figures(language):
    case = ReportedCase(number="A-1", size_mm=14.5, result=REFERRED)
    assert report_text(translator(language), case) == REFERRED_TEXTS[language]


def test_the_readers_description_has_its_terms_and_level():
    descriptors = DescriptorsView.model_validate(
        descriptors_to_json(parse_descriptors(DESCRIPTORS_EXAMPLE))
    )
    case = ReportedCase(
        number="A-1",
        size_mm=14.5,
        result=result(),
        descriptors=descriptors,
        reader_assessment=assess_descriptors(DESCRIPTORS_EXAMPLE, 14.5),
    )
    text = report_text(translator("en"), case)
    assert (
        "Reader's description: Composition: Solid or almost completely solid;" in text
    )
    assert text.count("ACR TI-RADS 2017: TR5 (points: 7)") == 1


def test_without_a_size_there_is_no_level_and_the_text_says_why():
    case = ReportedCase(number="A-1", size_mm=14.5, result=result(fna=None))
    text = report_text(translator("en"), case)
    assert "Suspicion level" not in text
    assert "Recommendation: no FNA advice. No size was given" in text
