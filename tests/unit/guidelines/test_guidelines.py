"""From the lexicon's descriptors to a level and its advice, guideline by guideline."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.results.fna import FnaOutcome
from shared.guidelines import (
    GUIDELINES,
    Composition,
    Descriptors,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
    RuleUnknown,
    SizeInvalid,
    assess,
)

URGENCY = [FnaOutcome.NOT_DUE, FnaOutcome.CONSIDER, FnaOutcome.DUE]

nodules = st.builds(
    Descriptors,
    composition=st.sampled_from(Composition),
    echogenicity=st.sampled_from(Echogenicity),
    orientation=st.sampled_from(Orientation),
    margin=st.sampled_from(Margin),
    foci=st.frozensets(st.sampled_from(Focus)),
    eccentric=st.booleans(),
)
guideline_names = st.sampled_from(sorted(GUIDELINES))


def nodule(
    composition="solid",
    echogenicity="isoechoic",
    *foci,
    orientation="wider-than-tall",
    margin="smooth",
    eccentric=False,
):
    return Descriptors(
        composition=Composition(composition),
        echogenicity=Echogenicity(echogenicity),
        orientation=Orientation(orientation),
        margin=Margin(margin),
        foci=frozenset(Focus(focus) for focus in foci),
        eccentric=eccentric,
    )


def level(guideline, descriptors):
    return assess(descriptors, 12, guideline).level


def just_above(number):
    return math.nextafter(number, math.inf)


def just_below(number):
    return math.nextafter(number, -math.inf)


@pytest.mark.parametrize(
    ("descriptors", "points", "expected_level"),
    [
        (nodule("cystic", "anechoic"), 0, "TR1"),
        (nodule("cystic", "hyperechoic"), 1, "TR2"),
        (nodule("mixed", "isoechoic"), 2, "TR2"),
        (nodule("solid", "isoechoic"), 3, "TR3"),
        (nodule("calcified", "unknown"), 3, "TR3"),
        (nodule("solid", "hypoechoic"), 4, "TR4"),
        (nodule("solid", "isoechoic", "comet-tail"), 3, "TR3"),
        (nodule("solid", "isoechoic", "macrocalcification"), 4, "TR4"),
        (nodule("solid", "hypoechoic", "rim"), 6, "TR4"),
        (nodule("solid", "very-hypoechoic"), 5, "TR4"),
        (nodule("solid", "hypoechoic", "punctate"), 7, "TR5"),
        (nodule("solid", "hypoechoic", orientation="taller-than-wide"), 7, "TR5"),
        (nodule("solid", "hypoechoic", margin="ill-defined"), 4, "TR4"),
        (nodule("solid", "hypoechoic", margin="lobulated"), 6, "TR4"),
        (nodule("solid", "hypoechoic", margin="irregular"), 6, "TR4"),
        (nodule("solid", "hypoechoic", margin="extrathyroidal"), 7, "TR5"),
        (
            nodule("mixed", "isoechoic", "macrocalcification", "rim", "punctate"),
            8,
            "TR5",
        ),
    ],
)
def test_acr_sums_its_points(descriptors, points, expected_level):
    assert GUIDELINES["ACR-2017"].points(descriptors) == points
    assert level("ACR-2017", descriptors) == expected_level


@settings(max_examples=50, deadline=None)
@given(nodules)
def test_acr_adds_nothing_to_a_spongiform_nodule(descriptors):
    spongiform = replace(
        descriptors, composition=Composition.SPONGIFORM, eccentric=False
    )
    assert GUIDELINES["ACR-2017"].points(spongiform) == 0
    assert level("ACR-2017", spongiform) == "TR1"


K_TIRADS_CASES = [
    (nodule("solid", "hypoechoic", "punctate"), "K-TIRADS 5"),
    (nodule("solid", "hypoechoic", orientation="taller-than-wide"), "K-TIRADS 5"),
    (nodule("solid", "very-hypoechoic", margin="irregular"), "K-TIRADS 5"),
    (nodule("solid", "hypoechoic"), "K-TIRADS 4"),
    (
        nodule("solid", "hypoechoic", "macrocalcification", margin="ill-defined"),
        "K-TIRADS 4",
    ),
    (nodule("mixed", "hypoechoic", "punctate"), "K-TIRADS 4"),
    (nodule("solid", "hyperechoic", margin="lobulated"), "K-TIRADS 4"),
    (nodule("calcified", "unknown"), "K-TIRADS 4"),
    (nodule("solid", "isoechoic"), "K-TIRADS 3"),
    (nodule("mixed", "hypoechoic"), "K-TIRADS 3"),
    (nodule("mixed", "isoechoic", "comet-tail"), "K-TIRADS 2"),
    (nodule("mixed", "isoechoic", "comet-tail", "punctate"), "K-TIRADS 4"),
    (nodule("cystic", "anechoic"), "K-TIRADS 2"),
]


@pytest.mark.parametrize("guideline", ["K-TIRADS-2021", "K-TIRADS-2016"])
@pytest.mark.parametrize(("descriptors", "expected_level"), K_TIRADS_CASES)
def test_k_tirads_reads_solidity_echogenicity_and_suspicious_signs(
    guideline, descriptors, expected_level
):
    assert level(guideline, descriptors) == expected_level


def test_a_spongiform_nodule_is_left_by_k_tirads_2021_and_biopsied_when_large_by_2016():
    spongiform = nodule("spongiform", "isoechoic")
    assert assess(spongiform, 40, "K-TIRADS-2021").outcome is FnaOutcome.NOT_DUE
    assert (
        assess(spongiform, just_below(20), "K-TIRADS-2016").outcome
        is FnaOutcome.NOT_DUE
    )
    assert assess(spongiform, 20, "K-TIRADS-2016").outcome is FnaOutcome.DUE


@pytest.mark.parametrize(
    ("descriptors", "expected_level"),
    [
        (nodule("solid", "hypoechoic", "punctate"), "high suspicion"),
        (nodule("mixed", "hypoechoic", margin="irregular"), "high suspicion"),
        (nodule("solid", "hypoechoic", margin="extrathyroidal"), "high suspicion"),
        (nodule("solid", "hypoechoic"), "intermediate suspicion"),
        (nodule("solid", "hypoechoic", "rim"), "intermediate suspicion"),
        (nodule("solid", "isoechoic"), "low suspicion"),
        (nodule("mixed", "isoechoic", eccentric=True), "low suspicion"),
        (nodule("mixed", "isoechoic"), "very low suspicion"),
        (nodule("spongiform", "isoechoic"), "very low suspicion"),
        (nodule("cystic", "anechoic"), "benign"),
    ],
)
def test_ata_recognises_its_patterns(descriptors, expected_level):
    assert level("ATA-2015", descriptors) == expected_level


@pytest.mark.parametrize(
    "descriptors",
    [
        nodule("solid", "isoechoic", "punctate"),
        nodule("solid", "hyperechoic", orientation="taller-than-wide"),
        nodule("mixed", "isoechoic", margin="irregular"),
        nodule("calcified", "unknown"),
    ],
)
def test_ata_gives_no_advice_for_a_nodule_that_fits_no_pattern(descriptors):
    advice = assess(descriptors, 30, "ATA-2015")
    assert (advice.outcome, advice.level, advice.threshold_mm) == (
        FnaOutcome.UNDECIDED,
        None,
        None,
    )
    assert "ATA-2015 has no category for this nodule" in advice.text


@pytest.mark.parametrize(
    ("descriptors", "expected_level"),
    [
        (nodule("cystic", "anechoic"), "EU-TIRADS 2"),
        (nodule("spongiform", "isoechoic"), "EU-TIRADS 2"),
        (nodule("solid", "isoechoic"), "EU-TIRADS 3"),
        (nodule("mixed", "hyperechoic"), "EU-TIRADS 3"),
        (nodule("solid", "hypoechoic"), "EU-TIRADS 4"),
        (nodule("solid", "very-hypoechoic"), "EU-TIRADS 5"),
        (nodule("solid", "isoechoic", "punctate"), "EU-TIRADS 5"),
        (nodule("mixed", "hyperechoic", margin="irregular"), "EU-TIRADS 5"),
        (nodule("solid", "isoechoic", orientation="taller-than-wide"), "EU-TIRADS 5"),
    ],
)
def test_eu_tirads_lets_one_strong_sign_outweigh_the_echogenicity(
    descriptors, expected_level
):
    assert level("EU-TIRADS-2017", descriptors) == expected_level


@pytest.mark.parametrize(
    ("descriptors", "expected_level"),
    [
        (nodule("solid", "hypoechoic"), "negative"),
        (nodule("solid", "isoechoic", "macrocalcification"), "negative"),
        (nodule("solid", "isoechoic", "punctate"), "positive"),
        (nodule("solid", "isoechoic", margin="lobulated"), "positive"),
        (nodule("solid", "very-hypoechoic"), "positive"),
        (nodule("mixed", "isoechoic", orientation="taller-than-wide"), "positive"),
    ],
)
def test_kim_needs_one_sign(descriptors, expected_level):
    assert level("Kim-2002", descriptors) == expected_level


def test_kim_does_not_look_at_the_size():
    advice = assess(nodule("solid", "isoechoic", "punctate"), 0.5, "Kim-2002")
    assert (advice.outcome, advice.threshold_mm) == (FnaOutcome.DUE, 0)
    assert advice.text == "FNA recommended at any size: positive."
    assert assess(nodule(), 90, "Kim-2002").threshold_mm is None


@pytest.mark.parametrize(
    ("descriptors", "expected_level"),
    [
        (nodule("mixed", "isoechoic"), "3"),
        (nodule("solid", "isoechoic"), "4a"),
        (nodule("solid", "hypoechoic"), "4b"),
        (nodule("solid", "very-hypoechoic", margin="irregular"), "4c"),
        (nodule("solid", "hypoechoic", "punctate", margin="lobulated"), "4c"),
        (
            nodule(
                "solid",
                "hypoechoic",
                "punctate",
                margin="irregular",
                orientation="taller-than-wide",
            ),
            "5",
        ),
    ],
)
def test_kwak_counts_five_signs(descriptors, expected_level):
    assert level("Kwak-2011", descriptors) == expected_level


def test_kwak_grades_the_risk_and_leaves_fna_undecided():
    advice = assess(nodule("solid", "hypoechoic"), 30, "Kwak-2011")
    assert advice.outcome is FnaOutcome.UNDECIDED
    assert "category 4b" in advice.text


HIGHEST = nodule("solid", "very-hypoechoic", "punctate")


@pytest.mark.parametrize(
    ("guideline", "descriptors", "largest_not_due", "smallest_due"),
    [
        ("ACR-2017", HIGHEST, just_below(10), 10),
        ("ACR-2017", nodule("solid", "hypoechoic"), just_below(15), 15),
        ("ACR-2017", nodule("solid", "isoechoic"), just_below(25), 25),
        ("K-TIRADS-2021", HIGHEST, 10, just_above(10)),
        ("K-TIRADS-2021", nodule("solid", "hypoechoic"), 15, just_above(15)),
        ("K-TIRADS-2021", nodule("solid", "isoechoic"), 20, just_above(20)),
        ("K-TIRADS-2016", HIGHEST, just_below(10), 10),
        ("K-TIRADS-2016", nodule("solid", "hypoechoic"), just_below(10), 10),
        ("K-TIRADS-2016", nodule("solid", "isoechoic"), just_below(15), 15),
        ("ATA-2015", HIGHEST, just_below(10), 10),
        ("ATA-2015", nodule("solid", "hypoechoic"), just_below(10), 10),
        ("ATA-2015", nodule("solid", "isoechoic"), just_below(15), 15),
        ("EU-TIRADS-2017", HIGHEST, 10, just_above(10)),
        ("EU-TIRADS-2017", nodule("solid", "hypoechoic"), 15, just_above(15)),
        ("EU-TIRADS-2017", nodule("solid", "isoechoic"), 20, just_above(20)),
    ],
)
def test_fna_is_due_from_the_guidelines_own_size(
    guideline, descriptors, largest_not_due, smallest_due
):
    assert not assess(descriptors, largest_not_due, guideline).recommended
    assert assess(descriptors, smallest_due, guideline).recommended


def test_ata_only_considers_fna_of_a_very_low_suspicion():
    spongiform = nodule("spongiform", "isoechoic")
    assert assess(spongiform, just_below(20), "ATA-2015").outcome is FnaOutcome.NOT_DUE
    advice = assess(spongiform, 20, "ATA-2015")
    assert (advice.outcome, advice.threshold_mm) == (FnaOutcome.CONSIDER, None)


@settings(max_examples=150, deadline=None)
@given(guideline_names, nodules, st.floats(0.1, 80), st.floats(0.1, 80))
def test_a_larger_nodule_of_the_same_description_never_needs_less(
    guideline, descriptors, first, second
):
    small, large = (
        assess(descriptors, size, guideline) for size in sorted([first, second])
    )
    assert small.level == large.level
    if small.outcome is not FnaOutcome.UNDECIDED:
        assert URGENCY.index(small.outcome) <= URGENCY.index(large.outcome)


@settings(max_examples=150, deadline=None)
@given(
    nodules,
    st.sampled_from(
        ["ACR-2017", "K-TIRADS-2021", "EU-TIRADS-2017", "Kim-2002", "Kwak-2011"]
    ),
)
def test_punctate_foci_never_lower_the_level(descriptors, guideline):
    with_foci = replace(
        descriptors, foci=descriptors.foci | {Focus.PUNCTATE}, eccentric=False
    )
    order = [category.name for category in GUIDELINES[guideline].levels]
    level_without = level(guideline, descriptors)
    level_with = level(guideline, with_foci)
    assert level_without is None or order.index(level_without) <= order.index(
        level_with
    )


@pytest.mark.parametrize("guideline", GUIDELINES.values(), ids=GUIDELINES)
def test_the_level_rules_name_all_levels_of_their_guideline(guideline):
    assert {rule.level for rule in guideline.level_rules} == {
        category.name for category in guideline.levels
    }


def test_bad_size_and_unknown_guideline_are_refused():
    with pytest.raises(SizeInvalid):
        assess(nodule("solid", "isoechoic", "punctate"), math.nan, "ATA-2015")
    with pytest.raises(RuleUnknown, match="EU-TIRADS-2017"):
        assess(nodule(), 12, "EU-TIRADS-2023")
