"""From the lexicon's descriptors to a level and its advice, guideline by guideline."""

import math

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
names = st.sampled_from(sorted(GUIDELINES))


def nodule(
    composition="solid",
    echogenicity="isoechoic",
    *foci,
    orientation="wider-than-tall",
    margin="smooth",
    eccentric=False,
):
    return Descriptors(
        Composition(composition),
        Echogenicity(echogenicity),
        Orientation(orientation),
        Margin(margin),
        frozenset(Focus(focus) for focus in foci),
        eccentric,
    )


def level(guideline, described):
    return assess(described, 12, guideline).level


def just_above(number):
    return math.nextafter(number, math.inf)


def just_below(number):
    return math.nextafter(number, -math.inf)


@pytest.mark.parametrize(
    ("described", "points", "expected"),
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
def test_acr_sums_its_points(described, points, expected):
    assert GUIDELINES["ACR-2017"].points(described) == points
    assert level("ACR-2017", described) == expected


@settings(max_examples=50, deadline=None)
@given(nodules)
def test_acr_adds_nothing_to_a_spongiform_nodule(described):
    spongiform = Descriptors(
        Composition.SPONGIFORM,
        described.echogenicity,
        described.orientation,
        described.margin,
        described.foci,
    )
    assert (
        GUIDELINES["ACR-2017"].points(spongiform),
        level("ACR-2017", spongiform),
    ) == (0, "TR1")


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
@pytest.mark.parametrize(("described", "expected"), K_TIRADS_CASES)
def test_k_tirads_reads_solidity_echogenicity_and_suspicious_signs(
    guideline, described, expected
):
    assert level(guideline, described) == expected


def test_a_spongiform_nodule_is_left_by_k_tirads_2021_and_biopsied_when_large_by_2016():
    spongiform = nodule("spongiform", "isoechoic")
    assert assess(spongiform, 40, "K-TIRADS-2021").outcome is FnaOutcome.NOT_DUE
    assert (
        assess(spongiform, just_below(20), "K-TIRADS-2016").outcome
        is FnaOutcome.NOT_DUE
    )
    assert assess(spongiform, 20, "K-TIRADS-2016").outcome is FnaOutcome.DUE


@pytest.mark.parametrize(
    ("described", "expected"),
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
def test_ata_recognises_its_patterns(described, expected):
    assert level("ATA-2015", described) == expected


@pytest.mark.parametrize(
    "described",
    [
        nodule("solid", "isoechoic", "punctate"),
        nodule("solid", "hyperechoic", orientation="taller-than-wide"),
        nodule("mixed", "isoechoic", margin="irregular"),
        nodule("calcified", "unknown"),
    ],
)
def test_what_ata_cannot_classify_is_said_to_be_so(described):
    advice = assess(described, 30, "ATA-2015")
    assert (advice.outcome, advice.level, advice.threshold_mm) == (
        FnaOutcome.UNDECIDED,
        None,
        None,
    )
    assert "ATA-2015 has no category for this nodule" in advice.text


@pytest.mark.parametrize(
    ("described", "expected"),
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
def test_eu_tirads_lets_one_strong_sign_outweigh_the_echogenicity(described, expected):
    assert level("EU-TIRADS-2017", described) == expected


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        (nodule("solid", "hypoechoic"), "negative"),
        (nodule("solid", "isoechoic", "macrocalcification"), "negative"),
        (nodule("solid", "isoechoic", "punctate"), "positive"),
        (nodule("solid", "isoechoic", margin="lobulated"), "positive"),
        (nodule("solid", "very-hypoechoic"), "positive"),
        (nodule("mixed", "isoechoic", orientation="taller-than-wide"), "positive"),
    ],
)
def test_kim_needs_one_sign(described, expected):
    assert level("Kim-2002", described) == expected


def test_kim_does_not_look_at_the_size():
    advice = assess(nodule("solid", "isoechoic", "punctate"), 0.5, "Kim-2002")
    assert (advice.outcome, advice.threshold_mm) == (FnaOutcome.DUE, 0)
    assert advice.text == "FNA recommended at any size: positive."
    assert assess(nodule(), 90, "Kim-2002").threshold_mm is None


@pytest.mark.parametrize(
    ("described", "expected"),
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
def test_kwak_counts_five_signs(described, expected):
    assert level("Kwak-2011", described) == expected


def test_kwak_grades_the_risk_and_leaves_fna_undecided():
    advice = assess(nodule("solid", "hypoechoic"), 30, "Kwak-2011")
    assert advice.outcome is FnaOutcome.UNDECIDED
    assert "category 4b" in advice.text


HIGHEST = nodule("solid", "very-hypoechoic", "punctate")


@pytest.mark.parametrize(
    ("guideline", "described", "largest_left", "smallest_due"),
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
    guideline, described, largest_left, smallest_due
):
    assert not assess(described, largest_left, guideline).recommended
    assert assess(described, smallest_due, guideline).recommended


def test_ata_only_considers_fna_of_a_very_low_suspicion():
    spongiform = nodule("spongiform", "isoechoic")
    assert assess(spongiform, just_below(20), "ATA-2015").outcome is FnaOutcome.NOT_DUE
    advice = assess(spongiform, 20, "ATA-2015")
    assert (advice.outcome, advice.threshold_mm) == (FnaOutcome.CONSIDER, None)


@settings(max_examples=150, deadline=None)
@given(names, nodules, st.floats(0.1, 80), st.floats(0.1, 80))
def test_a_larger_nodule_of_the_same_description_never_needs_less(
    guideline, described, first, second
):
    small, large = (
        assess(described, size, guideline) for size in sorted([first, second])
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
def test_punctate_foci_never_lower_the_level(described, guideline):
    with_foci = Descriptors(
        described.composition,
        described.echogenicity,
        described.orientation,
        described.margin,
        described.foci | {Focus.PUNCTATE},
    )
    order = [category.name for category in GUIDELINES[guideline].levels]
    before = level(guideline, described)
    after = level(guideline, with_foci)
    assert before is None or order.index(before) <= order.index(after)


@pytest.mark.parametrize("guideline", GUIDELINES.values(), ids=GUIDELINES)
def test_every_case_names_a_level_of_its_guideline(guideline):
    assert {case.level for case in guideline.cases} == {
        category.name for category in guideline.levels
    }


def test_bad_size_and_unknown_guideline_are_refused():
    with pytest.raises(SizeInvalid):
        assess(nodule("solid", "isoechoic", "punctate"), math.nan, "ATA-2015")
    with pytest.raises(RuleUnknown, match="EU-TIRADS-2017"):
        assess(nodule(), 12, "EU-TIRADS-2023")
