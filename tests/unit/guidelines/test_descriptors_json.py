"""Descriptors as JSON: parsed, written back unchanged, or refused with the field's name."""

import json

import pytest
from hypothesis import given

from shared.guidelines import (
    DESCRIPTORS_EXAMPLE,
    DescriptorsUnreadable,
    DescriptorUnusable,
    descriptors_to_json,
    parse_descriptors,
)
from tests.unit.guidelines.test_guidelines import nodule, nodules


def test_the_example_is_a_solid_hypoechoic_nodule_with_punctate_foci():
    descriptors = nodule("solid", "hypoechoic", "punctate")
    assert parse_descriptors(DESCRIPTORS_EXAMPLE) == descriptors
    assert parse_descriptors(json.dumps(DESCRIPTORS_EXAMPLE)) == descriptors


@given(
    nodules.filter(
        lambda descriptors: (
            descriptors.composition == "mixed" or not descriptors.eccentric
        )
    )
)
def test_written_descriptors_are_parsed_to_the_same_nodule(descriptors):
    text = json.dumps(descriptors_to_json(descriptors))
    assert parse_descriptors(text) == descriptors
    assert parse_descriptors(json.loads(text)) == descriptors


def test_order_and_repetition_of_foci_do_not_matter():
    first, repeated = (
        parse_descriptors({**DESCRIPTORS_EXAMPLE, "foci": foci})
        for foci in (["rim", "punctate"], ["punctate", "rim", "rim"])
    )
    assert descriptors_to_json(first) == descriptors_to_json(repeated)


@pytest.mark.parametrize(
    "source",
    ["", "solid", "[]", "null", "7", "[" * 1900, {**DESCRIPTORS_EXAMPLE, "size": 3}],
)
def test_anything_but_an_object_with_known_fields_is_refused(source):
    with pytest.raises(DescriptorsUnreadable, match="composition, echogenicity"):
        parse_descriptors(source)


@pytest.mark.parametrize(
    ("changes", "takes"),
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
def test_an_unknown_term_is_refused_with_the_known_terms(changes, takes):
    (name,) = changes
    with pytest.raises(DescriptorUnusable, match=f"{name} .* takes: {takes}"):
        parse_descriptors({**DESCRIPTORS_EXAMPLE, **changes})


@pytest.mark.parametrize(
    "missing", ["composition", "echogenicity", "orientation", "margin"]
)
def test_half_a_description_is_refused(missing):
    incomplete = dict(DESCRIPTORS_EXAMPLE)
    del incomplete[missing]
    with pytest.raises(DescriptorUnusable, match=missing):
        parse_descriptors(incomplete)
