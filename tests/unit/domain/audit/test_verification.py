from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.audit.chain import SYSTEM_CHAIN, NO_PREVIOUS_HASH, Link, Seal
from shared.domain.audit.verification import Fault, verify, verify_stretch

KEY = "our key"
CHAINS = ("north", SYSTEM_CHAIN)
TEXT_FIELDS = (
    "at",
    "actor",
    "origin",
    "event",
    "case",
    "job",
    "details",
    "previous",
    "hash",
)
places = st.integers(min_value=1, max_value=12)


def chain(
    name: str,
    length: int = 12,
    first: int = 1,
    previous: str = NO_PREVIOUS_HASH,
    actor: str = "key:a",
) -> list[Link]:
    links = []
    for number in range(first, length + 1):
        bare = Link(
            name,
            number,
            "2026-01-01",
            actor,
            None,
            "job.done",
            f"case {number}",
            None,
            "{}",
            previous,
            "",
        )
        links.append(replace(bare, hash=bare.computed_hash))
        previous = links[-1].hash
    return links


def seals(links: list[Link], *numbers: int) -> list[Seal]:
    made = []
    previous = NO_PREVIOUS_HASH
    for count, number in enumerate(numbers, start=1):
        link = links[number - 1]
        made.append(
            sign(
                Seal(
                    link.chain, count, number, link.hash, f"seal {count}", previous, KEY
                )
            )
        )
        previous = made[-1].made
    return made


def sign(seal: Seal) -> Seal:
    return replace(seal, signature=f"{seal.key} signed {seal.computed_hash}")


def signed(seal: Seal) -> bool:
    return seal.signature == f"{seal.key} signed {seal.computed_hash}"


def found(links, sealed=(), **more):
    return [
        (each.fault, each.chain, each.first, each.last)
        for each in verify(links, sealed, signed, **more).findings
    ]


LINKS = [*chain("north"), *chain(SYSTEM_CHAIN)]
SEALS = seals(LINKS[:12], 4, 10)


def test_whole_chains_are_found_whole_and_how_far_they_are_sealed_is_told():
    findings = verify(LINKS, SEALS, signed)
    assert findings.is_intact
    assert findings.events == {"north": 12, SYSTEM_CHAIN: 12}
    assert findings.sealed == {"north": 10, SYSTEM_CHAIN: 0}
    assert findings.keys == (KEY,)


@settings(max_examples=60, deadline=None)
@given(places, st.sampled_from(TEXT_FIELDS), st.text(min_size=1))
def test_any_single_change_is_found_and_named(number, name, said):
    link = LINKS[number - 1]
    changed = replace(link, **{name: f"{getattr(link, name)}{said}"})
    links = [changed if each is link else each for each in LINKS]
    assert found(links) == [(Fault.CHANGED, "north", number, number)]


@settings(max_examples=60, deadline=None)
@given(places, st.integers(min_value=-3, max_value=10**18))
def test_a_changed_number_is_found_and_named(number, said):
    link = LINKS[number - 1]
    links = [replace(each, number=said) if each is link else each for each in LINKS]
    expected = [(Fault.CHANGED, "north", said, said)]
    if number < 12 and said != number:
        expected.append((Fault.REMOVED, "north", number, number))
    assert found(links) == (expected if said != number else [])


@settings(max_examples=60, deadline=None)
@given(places.filter(lambda number: number < 12), places)
def test_any_removal_within_a_chain_is_found_and_named(first, count):
    last = min(first + count - 1, 11)
    links = [
        link
        for link in LINKS
        if link.chain == SYSTEM_CHAIN or not first <= link.number <= last
    ]
    assert found(links) == [(Fault.REMOVED, "north", first, last)]


@settings(max_examples=60, deadline=None)
@given(places, places)
def test_rows_that_changed_lines_are_found_and_named(one, other):
    one, other = sorted((one, other))
    links = list(LINKS)
    links[one - 1], links[other - 1] = links[other - 1], links[one - 1]
    findings = found(links)
    assert {fault for fault, *_ in findings} == (
        {Fault.REORDERED} if one != other else set()
    )
    named = {
        number for _, _, first, last in findings for number in range(first, last + 1)
    }
    if other - one > 2:
        assert named == {one, other}
    else:
        assert named <= set(range(one, other + 1))


@settings(max_examples=60, deadline=None)
@given(
    places,
    places,
    st.sampled_from(
        [("number",), ("number", "previous"), ("number", "previous", "hash")]
    ),
)
def test_rows_that_changed_places_are_found_and_named(one, other, kept):
    """Each takes the other's number, and perhaps its link and its hash."""
    links = list(LINKS)
    for at, from_ in ((one, other), (other, one)):
        links[at - 1] = replace(
            LINKS[from_ - 1], **{name: getattr(LINKS[at - 1], name) for name in kept}
        )
    expected = sorted({one, other}) if one != other else []
    assert found(links) == [
        (Fault.REORDERED, "north", number, number) for number in expected
    ]


@settings(max_examples=60, deadline=None)
@given(places.filter(lambda number: number < 12))
def test_a_row_replaced_with_its_hash_is_found_by_the_next(number):
    forged = replace(LINKS[number - 1], actor="nobody")
    links = [
        replace(forged, hash=forged.made) if link is LINKS[number - 1] else link
        for link in LINKS
    ]
    assert found(links) == [(Fault.REPLACED, "north", number, number)]


@settings(max_examples=60, deadline=None)
@given(places.filter(lambda number: number < 10))
def test_a_chain_made_anew_from_some_row_on_is_found_by_the_seals(number):
    kept = LINKS[: number - 1]
    previous = kept[-1].hash if kept else NO_PREVIOUS_HASH
    links = [
        *kept,
        *chain("north", first=number, previous=previous, actor="nobody"),
        *LINKS[12:],
    ]
    assert found(links) == []
    first, last = (1, 4) if number <= 4 else (5, 10)
    assert found(links, SEALS) == [(Fault.REWRITTEN, "north", first, last)]


@settings(max_examples=60, deadline=None)
@given(places.filter(lambda number: number <= 10))
def test_a_chain_cut_at_its_end_is_found_by_the_seals(number):
    links = [*LINKS[: number - 1], *LINKS[12:]]
    assert found(links) == []
    assert found(links, SEALS) == [(Fault.CUT, "north", number, 10)]


def test_a_whole_chain_that_is_gone_is_found_by_the_seals():
    assert found(LINKS[12:], SEALS) == [(Fault.CUT, "north", 1, 10)]


def test_a_row_that_is_there_twice_is_named():
    assert found([*LINKS[:5], LINKS[2], *LINKS[5:]]) == [
        (Fault.REPEATED, "north", 3, 3)
    ]


def test_a_chain_without_its_beginning_is_found_even_when_it_was_numbered_anew():
    assert found(chain("north", previous="f" * 64)) == [(Fault.FORGED, "north", 1, 1)]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([0, 1]),
    st.sampled_from(["number", "hash", "at", "previous", "signature"]),
)
def test_a_changed_seal_is_named_and_vouches_for_nothing(place, name):
    changed = list(SEALS)
    value = 1 if name == "number" else "changed"
    changed[place] = replace(SEALS[place], **{name: value})
    findings = verify(LINKS, changed, signed)
    assert any(
        f"seal {place + 1} " in each.sentence
        for each in findings.findings
        if each.fault is Fault.SEAL_BROKEN
    )
    assert findings.sealed["north"] == (10 if place == 0 else 4)


def test_a_removed_seal_is_found_by_the_next():
    (finding,) = verify(LINKS, SEALS[1:], signed).findings
    assert finding.fault is Fault.SEAL_REMOVED
    assert "Before the seal 2" in finding.sentence


def test_seals_of_another_key_are_refused_when_the_right_one_is_known():
    assert found(LINKS, SEALS, trusted=[KEY]) == []
    assert {fault for fault, *_ in found(LINKS, SEALS, trusted=["another"])} == {
        Fault.SEAL_UNTRUSTED
    }


def test_seals_kept_elsewhere_find_a_chain_whose_own_seals_were_cut_with_it():
    links = LINKS[:6]
    assert found(links, SEALS[:1]) == []
    assert found(links, SEALS[:1], witnesses=SEALS) == [(Fault.CUT, "north", 7, 10)]


def test_an_order_in_very_many_pieces_is_still_told():
    links = chain("north", 2100)
    mixed = links[1::2] + links[0::2]
    ((fault, _, first, last),) = found(mixed)
    assert (fault, first, last) == (Fault.REORDERED, 1, 2100)


@pytest.mark.parametrize("length", [0, 1])
def test_the_shortest_chains_are_whole(length):
    assert found(chain("north", length)) == []


def stretches(links, sealed, length):
    """One chain, a few events at a time, as a prover reads it."""
    read = []
    before = None
    last_seal = None
    while not (read and read[-1].ended):
        number = before.number if before else 0
        some = [link for link in links if link.number > number][:length]
        following = [
            seal for seal in sealed if seal.seal > (last_seal.seal if last_seal else 0)
        ]
        ended = len(some) < length
        reached = some[-1].number if some else number
        taken = (
            following
            if ended
            else [seal for seal in following if seal.number <= reached]
        )
        read.append(
            verify_stretch(
                before,
                some,
                taken,
                signed,
                chain="north",
                last_seal=last_seal,
                is_last=ended,
            )
        )
        before = some[-1] if some else before
        last_seal = taken[-1] if taken else last_seal
    return read


@given(st.integers(min_value=1, max_value=14))
def test_a_whole_chain_is_whole_in_stretches_of_any_length(length):
    read = stretches(LINKS[:12], SEALS, length)
    assert [each.wrong for each in read] == [()] * len(read)
    assert (
        sum(each.events for each in read),
        read[-1].number,
        read[-1].sealed,
        read[-1].seal,
    ) == (
        12,
        12,
        10,
        2,
    )
    assert read[-1].seal_at == "seal 2"


@given(places, st.sampled_from(TEXT_FIELDS), st.integers(min_value=1, max_value=14))
def test_a_change_is_named_in_stretches_too(number, name, length):
    changed = [
        replace(link, **{name: "another"}) if link.number == number else link
        for link in LINKS[:12]
    ]
    told = [
        finding for each in stretches(changed, SEALS, length) for finding in each.wrong
    ]
    whole = [(each.fault, each.first) for each in verify(changed, SEALS, signed).findings]
    assert set(whole) <= {(each.fault, each.first) for each in told}


@given(places, st.integers(min_value=1, max_value=14))
def test_a_removal_is_named_in_stretches_too(number, length):
    left = [link for link in LINKS[:12] if link.number != number]
    told = {
        (each.fault, each.first)
        for read in stretches(left, SEALS, length)
        for each in read.wrong
    }
    assert ((Fault.REMOVED, number) in told) is (number < 12)


@given(st.integers(min_value=1, max_value=14))
def test_a_chain_that_was_made_anew_or_cut_is_told_by_its_seals_in_stretches_too(
    length,
):
    anew = stretches(chain("north", actor="key:b"), SEALS, length)
    assert {each.fault for read in anew for each in read.wrong} == {Fault.REWRITTEN}
    cut = stretches(LINKS[:8], SEALS, length)
    assert [
        (each.fault, each.first, each.last) for read in cut for each in read.wrong
    ] == [(Fault.CUT, 9, 10)]
    unsealed = stretches(LINKS[:12], SEALS[1:], length)
    assert {each.fault for read in unsealed for each in read.wrong} == {
        Fault.SEAL_REMOVED
    }
