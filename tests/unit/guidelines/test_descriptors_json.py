"""Descriptors as they are sent: read once, kept as they were, or refused by name."""

import json

import pytest
from hypothesis import given

from shared.guidelines import (
    DESCRIPTORS_EXAMPLE,
    DescriptorsUnreadable,
    DescriptorUnusable,
    parse_descriptors,
    descriptors_to_json,
)
from tests.unit.guidelines.test_guidelines import nodule, nodules


def test_the_example_is_a_solid_hypoechoic_nodule_with_punctate_foci():
    described = nodule("solid", "hypoechoic", "punctate")
    assert parse_descriptors(DESCRIPTORS_EXAMPLE) == parse_descriptors(json.dumps(DESCRIPTORS_EXAMPLE)) == described


@given(nodules.filter(lambda each: each.composition == "mixed" or not each.eccentric))
def test_what_is_kept_reads_as_the_same_nodule(described):
    assert parse_descriptors(json.loads(json.dumps(descriptors_to_json(described)))) == described


def test_the_order_of_foci_and_their_repeats_say_nothing():
    once, again = (
        parse_descriptors({**DESCRIPTORS_EXAMPLE, "foci": foci})
        for foci in (["rim", "punctate"], ["punctate", "rim", "rim"])
    )
    assert descriptors_to_json(once) == descriptors_to_json(again)


@pytest.mark.parametrize(
    "sent", ["", "solid", "[]", "null", "7", "[" * 1900, {**DESCRIPTORS_EXAMPLE, "size": 3}]
)
def test_what_is_no_description_is_refused(sent):
    with pytest.raises(DescriptorsUnreadable, match="composition, echogenicity"):
        parse_descriptors(sent)


@pytest.mark.parametrize(
    ("changed", "takes"),
    [
        ({"composition": None}, "cystic, spongiform, mixed, solid, calcified"),
        ({"echogenicity": ["hypoechoic"]}, "anechoic, hyperechoic"),
        ({"orientation": "round"}, "wider-than-tall, taller-than-wide"),
        ({"margin": ""}, "smooth, ill-defined"),
        ({"foci": "punctate"}, r"\[comet-tail"),
        ({"foci": [["punctate"]]}, r"\[comet-tail"),
        ({"foci": ["punctate", "none"]}, r"\[comet-tail"),
        ({"eccentric": 1}, "false"),
        ({"eccentric": True}, "false, true .composition: mixed"),
    ],
)
def test_a_term_that_the_lexicon_has_not_is_refused_with_those_it_has(changed, takes):
    (name,) = changed
    with pytest.raises(DescriptorUnusable, match=f"{name} .* takes: {takes}"):
        parse_descriptors({**DESCRIPTORS_EXAMPLE, **changed})


@pytest.mark.parametrize(
    "left_out", ["composition", "echogenicity", "orientation", "margin"]
)
def test_half_a_description_is_refused(left_out):
    with pytest.raises(DescriptorUnusable, match=left_out):
        parse_descriptors({name: term for name, term in DESCRIPTORS_EXAMPLE.items() if name != left_out})
