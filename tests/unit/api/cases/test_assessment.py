"""The assessment of descriptors by the guidelines, without the model's risk."""

import pytest

from services.api.cases.assessment import ACR, FNA_GUIDELINES, assess_descriptors
from shared.guidelines import GUIDELINES
from shared.guidelines.advice import advise

SOLID = {
    "composition": "solid",
    "echogenicity": "hypoechoic",
    "orientation": "wider-than-tall",
    "margin": "smooth",
}


@pytest.mark.parametrize(
    ("descriptors", "size_mm", "points", "level", "recommended_by"),
    [
        (SOLID, 15, 4, "TR4", ["ACR-2017", "K-TIRADS-2016", "ATA-2015"]),
        (SOLID, 14.9, 4, "TR4", ["K-TIRADS-2016", "ATA-2015"]),
        (
            SOLID | {"foci": ["punctate"]},
            10,
            7,
            "TR5",
            ["ACR-2017", "K-TIRADS-2016", "ATA-2015"],
        ),
        (
            SOLID | {"foci": ["macrocalcification", "rim"]},
            20,
            7,
            "TR5",
            list(FNA_GUIDELINES),
        ),
        (SOLID | {"composition": "spongiform"}, 50, 0, "TR1", ["K-TIRADS-2016"]),
        (
            SOLID | {"composition": "cystic", "echogenicity": "anechoic"},
            50,
            0,
            "TR1",
            [],
        ),
    ],
)
def test_points_level_and_advice_come_from_the_guidelines_alone(
    descriptors, size_mm, points, level, recommended_by
):
    assessment = assess_descriptors(descriptors, size_mm)
    assert (assessment.points, assessment.level) == (points, level)
    assert [advice.rule for advice in assessment.advice] == list(FNA_GUIDELINES)
    assert [
        advice.rule for advice in assessment.advice if advice.recommended
    ] == recommended_by
    assert {advice.risk for advice in assessment.advice} == {None}


@pytest.mark.parametrize("guideline", GUIDELINES.values(), ids=GUIDELINES)
def test_each_registered_guideline_is_applied_if_its_fna_advice_depends_on_the_size(
    guideline,
):
    advice_by_size = [
        [
            advise(level, size_mm, rule=guideline.name, source=guideline.source).outcome
            for level in guideline.levels
        ]
        for size_mm in (0.1, 300)
    ]
    depends_on_size = advice_by_size[0] != advice_by_size[1]
    assert (guideline.name in FNA_GUIDELINES) == depends_on_size


def test_the_advice_of_acr_comes_first():
    assert FNA_GUIDELINES[0] == ACR


def test_a_guideline_without_a_matching_category_is_undecided():
    assessment = assess_descriptors(
        SOLID | {"echogenicity": "isoechoic", "foci": ["punctate"]}, 12
    )
    ata = next(advice for advice in assessment.advice if advice.rule == "ATA-2015")
    assert (ata.outcome, ata.level) == ("undecided", None)


def test_without_descriptors_there_is_no_assessment():
    assert assess_descriptors(None, 12) is None
